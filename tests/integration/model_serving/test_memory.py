"""More models than fit into memory, while requests run."""

import asyncio
from collections import Counter
from pathlib import Path
from unittest import mock

import httpx
from prometheus_client import REGISTRY

from mlplatform.registry.model_version import ModelVersion
from services.model_serving.loading.loader import ModelLoader, make_loader
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

INPUTS = records_of(frame_of(3, seed=7))
STUBBORN = """
    import mlflow

    class Stubborn(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            {act}

        def predict(self, context, model_input, params=None):
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Stubborn())
"""


def publish(publisher: Publisher, *suffixes: str, big: bool = False) -> dict[str, ModelVersion]:
    """Promote a model for each suffix; a big one takes many times the memory of the others."""
    versions = {}
    for suffix in suffixes:
        name = f"{publisher.name}-{suffix}"
        versions[suffix] = publisher.wide(name=name) if big else publisher.linear(2.0, name=name)
        publisher.promote(versions[suffix])
    return versions


def size_of(version: ModelVersion, publisher: Publisher, cache: Path) -> int:
    """Return the bytes that a version takes in memory; its artifacts are on disk from then on."""
    settings = ServingSettings(mlflow_url=publisher.registry.tracking_url, serving_cache=cache)
    return make_loader(publisher.registry, settings).load(version).size


async def settled(service: Service) -> bool:
    return (await service.readiness())["models"]["status"] == "ok"


async def in_memory(service: Service) -> set[str]:
    models = (await service.client.get("/api/v1/models?limit=200")).json()["models"]
    return {model["name"].rpartition("-")[2] for model in models if model["loaded"]}


async def apart(service: Service, prefix: str) -> tuple[str, str]:
    """Return the one of two models that is in memory, and the other one."""
    names = {"a", "b"}
    (inside,) = await in_memory(service)
    (outside,) = names - {inside}
    return f"{prefix}-{inside}", f"{prefix}-{outside}"


class TestMoreThanFit:
    async def test_all_are_served_and_the_least_recently_used_leave(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        names = ("a", "b", "c", "d")
        versions = publish(publisher, *names)
        size = size_of(versions["a"], publisher, tmp_path)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 5 // 2)) as service:
            await eventually(lambda: settled(service))
            assert "2 more on disk" in (await service.readiness())["models"]["reason"]
            for name in (*names, *reversed(names)):
                assert await service.serves(f"{publisher.name}-{name}", "1", INPUTS)
            assert await in_memory(service) == {"a", "b"}
            assert memory_used() <= size * 5 // 2
            assert evictions(publisher.name) >= 4

    async def test_callers_of_all_of_them_at_once_get_answers(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        names = ("a", "b", "c", "d", "e")
        versions = publish(publisher, *names)
        size = size_of(versions["a"], publisher, tmp_path)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 5 // 2)) as service:
            await eventually(lambda: settled(service))
            over = []

            async def call(name: str) -> list[httpx.Response]:
                answers = []
                for _ in range(8):
                    answers.append(await service.predict(f"{publisher.name}-{name}", INPUTS))
                    over.append(memory_used() > size * 5 // 2)
                return answers

            answers = await asyncio.gather(*(call(name) for name in names for _ in range(2)))
        assert Counter(answer.status_code for caller in answers for answer in caller) == {200: 80}
        assert not any(over)

    async def test_a_load_is_shared_by_all_who_wait_for_it(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a", "b")
        size = size_of(versions["a"], publisher, tmp_path)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 3 // 2)) as service:
            await eventually(lambda: settled(service))
            _, outside = await apart(service, publisher.name)
            with mock.patch.object(ModelLoader, "open", autospec=True, side_effect=ModelLoader.open) as opened:
                calls = [service.predict(outside, INPUTS) for _ in range(10)]
                answers = await asyncio.gather(*calls)
        assert [answer.status_code for answer in answers] == [200] * 10
        assert opened.call_count == 1

    async def test_a_caller_who_waits_too_long_is_told_to_come_back(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a", "b")
        size = size_of(versions["a"], publisher, tmp_path)
        limits = {"ML_SERVING_MEMORY": str(size * 3 // 2), "ML_SERVING_LOAD_WAIT": "1ms"}
        async with serving(settings_env, publisher, tmp_path, **limits) as service:
            await eventually(lambda: settled(service))
            _, outside = await apart(service, publisher.name)
            answer = await service.predict(outside, INPUTS)
            assert answer.status_code == 503
            assert answer.json()["code"] == "model_not_loaded"
            assert int(answer.headers["Retry-After"]) >= 1
            await eventually(lambda: service.serves(outside, "1", INPUTS))  # the load went on

    async def test_a_pinned_model_stays(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a", "b", "c")
        size = size_of(versions["a"], publisher, tmp_path)
        limits = {"ML_SERVING_MEMORY": str(size * 5 // 2), "ML_SERVING_PINNED": f"{publisher.name}-c"}
        async with serving(settings_env, publisher, tmp_path, **limits) as service:
            await eventually(lambda: settled(service))
            assert "c" in await in_memory(service)
            for name in "abab":
                assert await service.serves(f"{publisher.name}-{name}", "1", INPUTS)
            assert await in_memory(service) == {"b", "c"}

    async def test_a_model_that_answers_is_not_evicted(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a", "b")
        size = size_of(versions["a"], publisher, tmp_path)
        limits = {"ML_SERVING_MEMORY": str(size * 3 // 2), "ML_SERVING_LOAD_WAIT": "200ms"}
        async with serving(settings_env, publisher, tmp_path, **limits) as service:
            await eventually(lambda: settled(service))
            inside, outside = await apart(service, publisher.name)
            model = (await service.serving.versions.choose(inside)).model
            model.hold()
            answer = await service.predict(outside, INPUTS)
            assert answer.status_code == 503
            assert await in_memory(service) == {inside[-1]}
            model.release()
            await eventually(lambda: service.serves(outside, "1", INPUTS))
            assert await in_memory(service) == {outside[-1]}


class TestTooBig:
    async def test_it_is_refused_with_the_reason_and_the_others_are_served(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a")
        size = size_of(versions["a"], publisher, tmp_path)
        publish(publisher, "big", big=True)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 3)) as service:
            report = await eventually(lambda: degraded(service))
            assert "ML_SERVING_MEMORY" in report["reason"]
            assert f"{publisher.name}-big" in report["reason"]
            assert (await service.client.get("/health/ready")).status_code == 200
            assert await service.serves(f"{publisher.name}-a", "1", INPUTS)
            answer = await service.predict(f"{publisher.name}-big", INPUTS)
            assert answer.status_code == 503
            assert "ML_SERVING_MEMORY" in answer.json()["detail"]
            assert load_failures(f"{publisher.name}-big") >= 1
            assert await in_memory(service) == {"a"}

    async def test_one_that_takes_the_place_of_a_small_one_leaves_that_serving(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a")
        size = size_of(versions["a"], publisher, tmp_path)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 3)) as service:
            await eventually(lambda: service.serves(f"{publisher.name}-a", "1", INPUTS))
            publisher.promote(publisher.wide(name=f"{publisher.name}-a"))
            report = await eventually(lambda: degraded(service))
            assert "version 1 is served" in report["reason"]
            assert await service.serves(f"{publisher.name}-a", "1", INPUTS)


class TestSwapWithoutRoom:
    async def test_a_promotion_is_served_although_both_versions_do_not_fit(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a")
        name = f"{publisher.name}-a"
        size = size_of(versions["a"], publisher, tmp_path)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 3 // 2)) as service:
            await eventually(lambda: service.serves(name, "1", INPUTS))
            publisher.promote(publisher.linear(3.0, name=name))
            await eventually(lambda: service.serves(name, "2", INPUTS))
            await eventually(lambda: only(service, name, "2"))


class TestBrokenOnDisk:
    async def test_the_last_version_that_could_be_loaded_is_loaded_instead(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        versions = publish(publisher, "a", "b")
        size = size_of(versions["a"], publisher, tmp_path)
        name = f"{publisher.name}-b"
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_MEMORY=str(size * 3 // 2)) as service:
            await eventually(lambda: service.serves(name, "1", INPUTS))
            await eventually(lambda: service.serves(f"{publisher.name}-a", "1", INPUTS))
            broken = publisher.code(STUBBORN.format(act="raise RuntimeError('no weights')"), name=name)
            publisher.promote(broken)
            await eventually(lambda: service.serves(name, "1", INPUTS))


async def only(service: Service, name: str, version: str) -> bool:
    model = (await service.client.get(f"/api/v1/models/{name}")).json()
    return [loaded["version"] for loaded in model["loaded"]] == [version]


async def degraded(service: Service) -> dict[str, str] | None:
    report = (await service.readiness())["models"]
    return report if report["status"] == "degraded" else None


def load_failures(model: str) -> float:
    return REGISTRY.get_sample_value("ml_model_load_failures_total", {"model": model}) or 0


def memory_used() -> float:
    return REGISTRY.get_sample_value("ml_models_memory_bytes") or 0


def evictions(prefix: str) -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "ml_model_evictions_total" and sample.labels["model"].startswith(prefix)
    )
