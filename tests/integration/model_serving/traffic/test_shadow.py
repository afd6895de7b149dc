"""Candidates that score copies of requests."""

from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually
from tests.integration.model_serving.traffic.steering import ask, steer

WAITING = """
    import os, time, mlflow

    class Waiting(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            while not os.path.exists({gate!r}):
                time.sleep(0.01)
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Waiting())
"""


async def shadow_of(service: Service, model: str) -> dict[str, Any]:
    answer = await service.client.get(f"/api/v1/models/{model}/traffic/report")
    assert answer.status_code == 200, answer.text
    shadows = answer.json()["shadows"]
    return dict(shadows[0]) if shadows else {"requests": 0, "dropped": 0, "errors": 0}


async def scored(service: Service, model: str, requests: int) -> dict[str, Any]:
    async def all_of_them() -> dict[str, Any] | None:
        found = await shadow_of(service, model)
        return found if found["requests"] + found["dropped"] >= requests else None

    return dict(await eventually(all_of_them))


class TestComparison:
    async def test_of_an_equal_version_agrees_in_every_row(self, service: Service, versions: Publisher) -> None:
        same = versions.linear(1.0)
        await steer(service, versions.name, {"shadow": [{"version": same.version}]})
        answers = [await ask(service, versions.name) for _ in range(10)]
        assert {answer.headers["X-Model-Version"] for answer in answers} == {"1"}
        found = await scored(service, versions.name, 10)
        assert (found["requests"], found["rows"], found["agreement"]) == (10, 20, 1.0)
        assert found["error_rate"] == 0
        assert found["mean_delta_seconds"] is not None

    async def test_of_another_version_tells_how_far_it_is_off(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"shadow": [{"version": "2", "sample": 1.0, "tolerance": 0.001}]})
        for _ in range(10):
            await ask(service, versions.name)
        found = await scored(service, versions.name, 10)
        assert found["agreement"] == 0.0
        assert found["difference_p99"] > found["difference_p50"] > 0.01

    async def test_is_not_made_for_callers_who_name_a_version(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"shadow": [{"version": "2"}]})
        await ask(service, versions.name, version="1")
        await ask(service, versions.name)
        assert (await scored(service, versions.name, 1))["requests"] == 1


class TestShadowThatFails:
    async def test_costs_callers_nothing_and_is_counted(
        self, service: Service, versions: Publisher, tmp_path: Path
    ) -> None:
        gate = tmp_path / "gate"
        gate.touch()
        waiting = versions.code(WAITING.format(gate=str(gate)))
        await steer(service, versions.name, {"shadow": [{"version": waiting.version}]})
        gate.unlink()
        answers = [await ask(service, versions.name) for _ in range(130)]
        assert {answer.status_code for answer in answers} == {200}
        gate.touch()
        found = await scored(service, versions.name, 130)
        assert found["dropped"] >= 20
        labels = {"model": versions.name, "version": waiting.version, "outcome": "dropped_full"}
        assert (REGISTRY.get_sample_value("ml_shadow_requests_total", labels) or 0) >= 20
