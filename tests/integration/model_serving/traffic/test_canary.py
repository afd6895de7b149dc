"""A share of the traffic for a candidate."""

import asyncio
import time
from pathlib import Path

from prometheus_client import REGISTRY

from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.integration.model_serving.traffic.steering import INPUTS, ask, put, routes, shares, steer, traffic


class TestShare:
    async def test_goes_to_the_candidate_and_each_key_stays_with_its_version(
        self, service: Service, versions: Publisher
    ) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 30}})
        first = await routes(service, versions.name)
        counted = shares(first)
        assert counted.keys() == {("primary", "1"), ("canary", "2")}
        assert 30 <= counted["canary", "2"] <= 90
        assert await routes(service, versions.name) == first

    async def test_keeps_whom_it_has_when_it_grows(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 10}})
        before = await routes(service, versions.name)
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 50}})
        after = await routes(service, versions.name)
        assert all(after[key] == route for key, route in before.items() if route[0] == "canary")
        assert shares(after)["canary", "2"] > shares(before)["canary", "2"]

    async def test_is_drawn_anew_for_each_request_without_a_key(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 50}})
        answers = [await ask(service, versions.name) for _ in range(60)]
        assert {answer.headers["X-Model-Route"] for answer in answers} == {"primary", "canary"}

    async def test_may_go_by_who_the_caller_is(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 50}, "sticky": "principal"})
        answers = [await ask(service, versions.name, f"other-{number}") for number in range(20)]
        assert len({answer.headers["X-Model-Route"] for answer in answers}) == 1

    async def test_is_overridden_by_a_caller_who_names_a_version(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 100}})
        named = await ask(service, versions.name, version="1")
        assert (named.headers["X-Model-Route"], named.headers["X-Model-Version"]) == ("version", "1")
        aliased = await ask(service, versions.name, alias="production")
        assert aliased.headers["X-Model-Version"] == "1"
        body = {"model": versions.name, "inputs": INPUTS}
        by_header = await service.client.post("/api/v1/predict", json=body, headers={"X-Model-Version": "3"})
        assert (by_header.headers["X-Model-Route"], by_header.json()["version"]) == ("version", "3")
        wrong = await service.client.post("/api/v1/predict", json=body, headers={"X-Model-Version": "latest"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "header.X-Model-Version")

    async def test_follows_an_alias_without_a_failed_request(self, service: Service, versions: Publisher) -> None:
        versions.registry.set_alias(versions.name, "challenger", "2")
        await steer(service, versions.name, {"canary": {"alias": "challenger", "percent": 100}})
        assert (await ask(service, versions.name)).headers["X-Model-Version"] == "2"
        seen = []

        async def moved() -> bool:
            answer = await ask(service, versions.name)
            seen.append((answer.status_code, answer.headers["X-Model-Route"]))
            return answer.headers["X-Model-Version"] == "3"

        await asyncio.to_thread(versions.registry.set_alias, versions.name, "challenger", "3")
        await eventually(moved)
        assert set(seen) == {(200, "canary")}


class TestCandidateThatDoesNotLoad:
    async def test_gets_no_traffic_and_that_is_told(self, service: Service, versions: Publisher) -> None:
        broken = versions.linear(4.0, serialization_format="cloudpickle")
        document = {"canary": {"version": broken.version, "percent": 100}}
        assert (await put(service, versions.name, document)).status_code == 200

        async def told() -> bool:
            return (await traffic(service, versions.name))["targets"][0]["state"] == "failed"

        assert set((await routes(service, versions.name, 20)).values()) == {("primary", "1")}
        await eventually(told)
        assert set((await routes(service, versions.name, 20)).values()) == {("primary", "1")}
        (target,) = (await traffic(service, versions.name))["targets"]
        assert "ML_SERVING_ALLOW_PICKLE" in target["reason"]
        labels = {"model": versions.name, "target": broken.version}
        assert REGISTRY.get_sample_value("ml_traffic_target_ready", labels) == 0


class TestReplicas:
    async def test_all_follow_within_a_second(
        self, settings_env: dict[str, str], versions: Publisher, tmp_path: Path
    ) -> None:
        """Two services on one database; the second one learns of the change only through it and Redis."""
        async with (
            serving(settings_env, versions, tmp_path / "a") as first,
            serving(settings_env, versions, tmp_path / "b") as second,
        ):
            for service in (first, second):
                await eventually(lambda service=service: service.serves(versions.name, "1", INPUTS))
                assert (await ask(service, versions.name, version="2")).status_code == 200
            took = []
            for percent in (100, 0, 100, 0):
                wanted = "2" if percent else "1"
                began = time.monotonic()
                assert (
                    await put(first, versions.name, {"canary": {"version": "2", "percent": percent}})
                ).status_code == 200
                assert (await ask(first, versions.name)).headers["X-Model-Version"] == wanted or percent

                async def follows(wanted: str = wanted) -> bool:
                    return (await ask(second, versions.name)).headers["X-Model-Version"] == wanted

                await eventually(follows)
                took.append(time.monotonic() - began)
            assert min(took) < 1, took
            keys = await routes(first, versions.name, 50)
            assert keys == await routes(second, versions.name, 50)

    async def test_follow_while_redis_is_down(
        self, settings_env: dict[str, str], versions: Publisher, tmp_path: Path
    ) -> None:
        away = {**settings_env, "ML_REDIS_URL": "redis://127.0.0.1:9/0"}
        async with (
            serving(settings_env, versions, tmp_path / "a") as first,
            serving(away, versions, tmp_path / "b") as second,
        ):
            for service in (first, second):
                await eventually(lambda service=service: service.serves(versions.name, "1", INPUTS))
            await steer(first, versions.name, {"canary": {"version": "2", "percent": 100}})

            async def follows() -> bool:
                return (await ask(second, versions.name)).headers["X-Model-Version"] == "2"

            await eventually(follows)
