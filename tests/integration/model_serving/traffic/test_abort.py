"""Stopping a candidate: by the rule, and by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY

from services.model_serving.traffic.exchange import Exchange
from services.model_serving.traffic.shadow_totals import ShadowTotals
from services.model_serving.traffic.tally import Outcome
from services.model_serving.traffic.totals import ExperimentTotals
from services.model_serving.traffic.windows import Windows
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually
from tests.integration.model_serving.traffic.steering import ask, put, routes, shares, steer, traffic

FAILING = """
    import os, mlflow

    class Failing(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            if os.path.exists({marker!r}):
                raise RuntimeError("no weights")
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Failing())
"""
SLOW = """
    import os, time, mlflow

    class Slow(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            if os.path.exists({marker!r}):
                time.sleep(0.2)
            return model_input["a"].to_numpy()

    mlflow.models.set_model(Slow())
"""
RULE = {"min_requests": 10, "window_seconds": 600}


async def until(service: Service, model: str, stopped: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the document says that something was stopped; each caller has a key of its own."""
    number = 0

    async def asked() -> dict[str, Any] | None:
        nonlocal number
        for _ in range(5):
            number += 1
            await ask(service, model, f"caller-{number}")
        found = await traffic(service, model)
        return found if stopped(found["document"]) else None

    return dict(await eventually(asked))


async def until_stopped(service: Service, model: str) -> dict[str, Any]:
    """Ask until the canary has no traffic."""
    return await until(service, model, lambda document: not document["canary"]["percent"])


class TestRule:
    @pytest.mark.parametrize(("script", "cause"), [(FAILING, "error_rate"), (SLOW, "latency_p99")])
    async def test_stops_a_candidate_that_is_worse_and_it_stays_stopped(
        self,
        *,
        service: Service,
        versions: Publisher,
        tmp_path: Path,
        settings_env: dict[str, str],
        script: str,
        cause: str,
    ) -> None:
        marker = tmp_path / "marker"
        bad = versions.code(script.format(marker=str(marker)))
        document = {"canary": {"version": bad.version, "percent": 50}, "abort": RULE}
        await steer(service, versions.name, document)
        marker.touch()
        found = await until_stopped(service, versions.name)
        assert (found["action"], found["actor"], found["revision"]) == ("abort", "traffic-guard", 2)
        assert set((await routes(service, versions.name, 30)).values()) == {("primary", "1")}
        assert (await traffic(service, versions.name))["revision"] == 2
        labels = {"model": versions.name, "route": "canary", "cause": cause}
        assert REGISTRY.get_sample_value("ml_traffic_aborts_total", labels) == 1
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as database:
            query = "SELECT actor FROM audit_events WHERE action = 'traffic.abort'"
            assert database.execute(query).fetchall() == [("traffic-guard",)]

    async def test_leaves_a_candidate_alone_that_is_no_worse(self, service: Service, versions: Publisher) -> None:
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 50}, "abort": RULE})
        assert shares(await routes(service, versions.name, 150))["canary", "2"] > 20
        assert (await traffic(service, versions.name))["revision"] == 1

    async def test_does_not_hold_against_it_what_it_did_in_an_earlier_life(
        self, service: Service, versions: Publisher, tmp_path: Path
    ) -> None:
        marker = tmp_path / "marker"
        bad = versions.code(FAILING.format(marker=str(marker)))
        document = {"canary": {"version": bad.version, "percent": 50}, "abort": RULE}
        await steer(service, versions.name, document)
        marker.touch()
        await until_stopped(service, versions.name)
        marker.unlink()
        await steer(service, versions.name, document)
        assert shares(await routes(service, versions.name, 60))["canary", bad.version] > 10
        assert (await traffic(service, versions.name))["revision"] == 3

    async def test_stops_a_failing_arm_whose_control_does_not_load(
        self, service: Service, versions: Publisher, tmp_path: Path
    ) -> None:
        """Until the control answers there is nothing to compare with, and failing most requests is enough."""
        marker = tmp_path / "marker"
        control = versions.linear(4.0, serialization_format="cloudpickle")
        bad = versions.code(FAILING.format(marker=str(marker)))
        arms = [{"name": "old", "version": control.version}, {"name": "new", "version": bad.version}]
        document = {"experiment": {"name": "pair", "arms": arms}, "abort": RULE}
        assert (await put(service, versions.name, document)).status_code == 200

        async def settled() -> bool:
            states = [target["state"] for target in (await traffic(service, versions.name))["targets"]]
            return states == ["failed", "ready"]

        await eventually(settled)
        assert set((await routes(service, versions.name, 20)).values()) == {("primary", "1"), ("ab:new", bad.version)}
        marker.touch()
        found = await until(service, versions.name, lambda document: document["experiment"]["arms"][1]["stopped"])
        assert (found["action"], found["actor"]) == ("abort", "traffic-guard")
        assert found["reason"].endswith("with too few to compare with")
        assert not found["document"]["experiment"]["arms"][0]["stopped"]
        assert set((await routes(service, versions.name, 20)).values()) == {("primary", "1")}

    async def test_adds_up_what_no_replica_alone_would_stop_it_for(self, service: Service, versions: Publisher) -> None:
        """Two other replicas saw 30 requests of each side, and the rule wants 50."""
        await steer(service, versions.name, {"canary": {"version": "2", "percent": 50}, "abort": {"min_requests": 50}})
        for _ in range(2):
            windows = Windows()
            for _ in range(30):
                windows.count((versions.name, "primary", 1, "1"), Outcome.OK, 0.01)
                windows.count((versions.name, "canary", 1, "2"), Outcome.ERROR, 0.0)
            database = service.application.state.kernel.database
            assert await Exchange(database, windows, ExperimentTotals(), ShadowTotals()).send()

        async def stopped() -> bool:
            return (await traffic(service, versions.name))["document"]["canary"]["percent"] == 0

        await eventually(stopped)
        reason = (await traffic(service, versions.name))["reason"]
        assert reason == "error rate 100.00% against 0.00% of the version it is compared with, over 60 requests"


class TestByHand:
    async def test_takes_the_traffic_away_and_leaves_the_rest(self, service: Service, versions: Publisher) -> None:
        path = f"/api/v1/models/{versions.name}/traffic/abort"
        assert (await service.client.post(path, json={})).status_code == 404
        document = {"canary": {"version": "2", "percent": 100}, "shadow": [{"version": "3"}]}
        await steer(service, versions.name, document)
        answer = await service.client.post(path, json={"reason": "looks odd"})
        assert answer.status_code == 200
        assert answer.json()["document"]["canary"]["percent"] == 0
        assert [shadow["version"] for shadow in answer.json()["document"]["shadow"]] == ["3"]
        assert (await ask(service, versions.name)).headers["X-Model-Route"] == "primary"
        again = await service.client.post(path, json={})
        assert (again.status_code, again.json()["code"]) == (409, "nothing_to_abort")
        assert (await put(service, versions.name, document)).status_code == 200
