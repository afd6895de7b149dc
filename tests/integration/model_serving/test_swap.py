"""New versions in production, while requests run."""

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import httpx
import mlflow
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from mlplatform.events import CloudEvent, ModelPromoted, PromotionAnnounced
from mlplatform.registry.stages import PRODUCTION, STAGING
from tests.integration.model_serving.publisher import Publisher, frame_of, promotion_of, records_of
from tests.integration.model_serving.running import POLLING, Service, eventually, serving

INPUTS = records_of(frame_of(3, seed=7))
BROKEN = """
    import mlflow

    class Broken(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            if {broken}:
                raise RuntimeError("no weights")

        def predict(self, context, model_input, params=None):
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Broken())
"""


class Caller:
    """Asks without pause, and keeps the answers."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []

    async def ask(self, service: Service, model: str, until: asyncio.Event) -> None:
        while not until.is_set():
            self.answers.append(await service.predict(model, INPUTS))

    async def sees(self, version: str) -> bool:
        return bool(self.answers) and self.answers[-1].json()["version"] == version


def versions_in(answers: Iterable[httpx.Response]) -> list[str]:
    """Return the versions in the order in which they came, without repetitions."""
    seen: list[str] = []
    for answer in answers:
        version = answer.json()["version"]
        if not seen or seen[-1] != version:
            seen.append(version)
    return seen


class TestPromotion:
    async def test_requests_go_on_through_a_promotion_and_a_rollback(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        first, second = publisher.linear(1.0), publisher.linear(2.0)
        publisher.point(first)
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            done = asyncio.Event()
            callers = [Caller() for _ in range(4)]
            asking = [asyncio.create_task(caller.ask(service, publisher.name, done)) for caller in callers]
            for version in (first, second, first):
                await asyncio.to_thread(publisher.point, version)
                for caller in callers:
                    await eventually(partial(caller.sees, version.version))
            done.set()
            await asyncio.gather(*asking)
            answers = [caller.answers for caller in callers]
        assert {answer.status_code for caller in answers for answer in caller} == {200}
        assert all(versions_in(caller) == ["1", "2", "1"] for caller in answers)
        for answer in (answer for caller in answers for answer in caller):
            content = answer.json()
            slope = content["predictions"][0] / INPUTS[0]["a"]
            assert round(slope) == int(content["version"]) == int(answer.headers["X-Model-Version"])

    async def test_an_event_brings_the_version_in_long_before_the_next_poll(
        self, publisher: Publisher, settings_env: dict[str, str], redis_url: str, tmp_path: Path
    ) -> None:
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_POLL_INTERVAL="1h") as service:
            await eventually(lambda: ready(service))
            version = await asyncio.to_thread(publisher.linear)
            await asyncio.to_thread(publisher.point, version)
            async with Redis.from_url(redis_url) as redis:

                async def announced() -> bool:
                    await redis.xadd(ModelPromoted.event_type, {"event": promotion_of(version).model_dump_json()})
                    await asyncio.sleep(0.1)
                    return await service.serves(publisher.name, "1", INPUTS)

                await eventually(announced)

    async def test_a_version_whose_promotion_begins_waits_in_memory_for_its_end(
        self, publisher: Publisher, settings_env: dict[str, str], redis_url: str, tmp_path: Path
    ) -> None:
        first, second = publisher.linear(1.0), publisher.linear(2.0)
        publisher.point(first)
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service, Redis.from_url(redis_url) as redis:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            announced = PromotionAnnounced(model=publisher.name, version=second.version, actor="test")
            document = CloudEvent.of(announced, source="test").model_dump_json().encode()

            async def in_memory() -> list[tuple[str, str]]:
                model = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
                return [(loaded["version"], loaded["role"]) for loaded in model["loaded"]]

            async def prepared() -> bool:
                await redis.xadd(PromotionAnnounced.event_type, {"event": document})
                await asyncio.sleep(0.1)
                return await in_memory() == [("1", "production"), ("2", "extra")]

            await eventually(prepared)
            publisher.point(second)
            await eventually(lambda: service.serves(publisher.name, "2", INPUTS))
            assert sorted(await in_memory()) == [("1", "extra"), ("2", "production")]

    async def test_a_replaced_version_is_freed_when_no_room_is_left_for_it(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        first, second = publisher.linear(1.0), publisher.linear(2.0)
        publisher.point(first)
        async with serving(settings_env, publisher, tmp_path, ML_SERVING_EXTRA_VERSIONS="0", **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            publisher.point(second)
            await eventually(lambda: service.serves(publisher.name, "2", INPUTS))
            model = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
            assert [(loaded["version"], loaded["role"]) for loaded in model["loaded"]] == [("2", "production")]
            pinned = await service.predict(publisher.name, INPUTS, version="1")
            assert pinned.json()["version"] == "1"


class TestFailedLoad:
    async def test_the_last_good_version_serves_on_and_the_failure_is_told(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        good, bad = publisher.linear(1.0), publisher.linear(2.0, serialization_format="cloudpickle")
        publisher.point(good)
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            publisher.point(bad)
            await eventually(lambda: failed(service))
            report = (await service.readiness())["models"]
            assert publisher.name in report["reason"]
            assert "version 1 is served" in report["reason"]
            assert await service.serves(publisher.name, "1", INPUTS)
            assert load_failures(publisher.name) >= 1
            model = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
            assert model["failure"]["version"] == "2"

            publisher.point(publisher.linear(3.0))
            await eventually(lambda: service.serves(publisher.name, "3", INPUTS))
            await eventually(lambda: ready(service))

    async def test_without_a_good_version_the_caller_is_told_to_come_back(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.point(publisher.linear(2.0, serialization_format="cloudpickle"))
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: failed(service))
            answer = await service.predict(publisher.name, INPUTS)
            assert answer.status_code == 503
            assert answer.json()["code"] == "model_not_loaded"
            assert "ML_SERVING_ALLOW_PICKLE" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) >= 1

    async def test_a_load_that_failed_is_tried_again(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        marker = tmp_path / "marker"
        version = publisher.code(BROKEN.format(broken=f"__import__('pathlib').Path({str(marker)!r}).exists()"))
        marker.touch()
        publisher.point(version)
        async with serving(settings_env, publisher, tmp_path / "cache", **POLLING) as service:
            await eventually(lambda: failed(service))
            assert "no weights" in (await service.readiness())["models"]["reason"]
            marker.unlink()
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))


class TestVanishedAlias:
    async def test_the_last_good_version_serves_on_and_an_alarm_is_raised(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.point(publisher.linear())
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            publisher.registry.delete_alias(publisher.name, PRODUCTION)
            await eventually(lambda: alarmed(publisher.name))
            assert await service.serves(publisher.name, "1", INPUTS)
            model = (await service.client.get(f"/api/v1/models/{publisher.name}")).json()
            assert model["alias_missing"] is True
            report = (await service.readiness())["models"]
            assert report["status"] == "degraded"
            assert publisher.name in report["reason"]
            assert (await service.client.get("/health/ready")).status_code == 200

            publisher.point(publisher.linear(2.0))
            await eventually(lambda: service.serves(publisher.name, "2", INPUTS))
            await eventually(lambda: ready(service))
            assert not await alarmed(publisher.name)

    async def test_the_same_version_under_the_alias_again_ends_the_alarm(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        version = publisher.linear()
        publisher.point(version)
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            publisher.registry.delete_alias(publisher.name, PRODUCTION)
            await eventually(lambda: alarmed(publisher.name))
            publisher.point(version)
            await eventually(lambda: ready(service))
            assert not await alarmed(publisher.name)
            assert await service.serves(publisher.name, "1", INPUTS)

    async def test_a_model_that_was_deleted_is_served_until_there_is_another_of_its_name(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.point(publisher.linear(1.0))
        async with serving(settings_env, publisher, tmp_path, **POLLING) as service:
            await eventually(lambda: service.serves(publisher.name, "1", INPUTS))
            done = asyncio.Event()
            caller = Caller()
            asking = asyncio.create_task(caller.ask(service, publisher.name, done))
            await asyncio.to_thread(mlflow.MlflowClient().delete_registered_model, publisher.name)
            await eventually(lambda: alarmed(publisher.name))
            assert await service.serves(publisher.name, "1", INPUTS)
            await asyncio.to_thread(lambda: publisher.point(publisher.linear(3.0)))
            await eventually(lambda: slope_is(service, publisher.name, 3))
            done.set()
            await asking
            assert {answer.status_code for answer in caller.answers} == {200}
            await eventually(lambda: ready(service))


class TestStaging:
    async def test_a_staged_version_is_on_disk_before_it_is_promoted(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        version = publisher.linear(2.0)
        publisher.registry.set_alias(publisher.name, STAGING, version.version)
        async with serving(settings_env, publisher, tmp_path, cold=True, **POLLING):
            await eventually(lambda: is_there(tmp_path / str(version.digest) / "digest"))


async def is_there(file: Path) -> bool:
    return await asyncio.to_thread(file.is_file)


async def slope_is(service: Service, model: str, slope: int) -> bool:
    answer = await service.predict(model, INPUTS)
    return round(answer.json()["predictions"][0] / INPUTS[0]["a"]) == slope


async def ready(service: Service) -> bool:
    return (await service.readiness())["models"]["status"] == "ok"


async def failed(service: Service) -> bool:
    report = (await service.readiness())["models"]
    return report["status"] == "degraded" and "could not be loaded" in report["reason"]


async def alarmed(model: str) -> bool:
    return REGISTRY.get_sample_value("ml_model_alias_missing", {"model": model}) == 1


def load_failures(model: str) -> float:
    return REGISTRY.get_sample_value("ml_model_load_failures_total", {"model": model}) or 0
