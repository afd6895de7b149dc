"""Two versions on live traffic, and what callers report of their answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.model_serving.traffic.errors import OutcomeRefused
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.integration.model_serving.traffic.steering import INPUTS, put, routes, shares, steer

EXPERIMENT = {
    "experiment": {
        "name": "slopes",
        "arms": [
            {"name": "old", "alias": "production", "weight": 1},
            {"name": "new", "version": "2", "weight": 1},
        ],
        "metric": {"name": "bought", "kind": "proportion"},
    }
}


@pytest.fixture
async def replica(
    service: Service, settings_env: dict[str, str], versions: Publisher, tmp_path: Path
) -> AsyncIterator[Service]:
    """Yield a second service on the same database."""
    async with serving(settings_env, versions, tmp_path / "second", ML_SERVING_TRAFFIC_INTERVAL="100ms") as running:
        await eventually(lambda: running.serves(versions.name, "1", INPUTS))
        yield running


async def report_of(service: Service, model: str, name: str = "slopes") -> dict:
    answer = await service.client.get(f"/api/v1/models/{model}/experiments/{name}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestAssignment:
    async def test_deals_by_weight_and_a_stopped_arm_changes_nobody_elses(
        self, service: Service, versions: Publisher
    ) -> None:
        arms = [
            {"name": "a", "alias": "production", "weight": 2},
            {"name": "b", "version": "2", "weight": 1},
            {"name": "c", "version": "3", "weight": 1},
        ]
        await steer(service, versions.name, {"experiment": {"name": "three", "arms": arms}})
        before = await routes(service, versions.name)
        counted = shares(before)
        assert counted.keys() == {("ab:a", "1"), ("ab:b", "2"), ("ab:c", "3")}
        assert counted["ab:a", "1"] > max(counted["ab:b", "2"], counted["ab:c", "3"])
        arms[1]["stopped"] = True
        await steer(service, versions.name, {"experiment": {"name": "three", "arms": arms}})
        after = await routes(service, versions.name)
        assert all(after[key] == (("primary", "1") if route[0] == "ab:b" else route) for key, route in before.items())


class TestReport:
    async def test_adds_up_what_replicas_counted_and_decides(
        self, service: Service, replica: Service, versions: Publisher
    ) -> None:
        await steer(service, versions.name, EXPERIMENT)

        async def both() -> bool:
            return versions.name in replica.serving.traffic.router.plans

        await eventually(both)
        counted = shares(await routes(service, versions.name, 40))
        for number in range(600):
            asked = (service, replica)[number % 2].serving.traffic.experiments
            assert asked.record_outcome(versions.name, "ab:old", float(number % 10 == 0))
            assert asked.record_outcome(versions.name, "new", float(number % 3 == 0))

        async def complete() -> dict | None:
            found = await report_of(service, versions.name)
            return found if [arm["outcomes"] for arm in found["arms"]] == [600, 600] else None

        found = await eventually(complete)
        old, new = found["arms"]
        assert (old["mean"], new["mean"]) == (pytest.approx(0.1), pytest.approx(1 / 3))
        assert (old["requests"], new["requests"]) == (counted["ab:old", "1"], counted["ab:new", "2"])
        verdict = new["against_control"]
        assert verdict["decision"] == "better"
        assert verdict["interval"][0] > 0
        assert verdict["interval"][0] < verdict["effect"] < verdict["interval"][1]
        assert verdict["e_value"] > 20
        assert verdict["p_value"] < 0.05
        assert old["against_control"] is None
        assert "independent" in found["assumptions"]
        assert found["running"] is True

    async def test_of_an_ended_experiment_stays_and_a_new_one_of_the_same_name_starts_at_nothing(
        self, service: Service, versions: Publisher
    ) -> None:
        await steer(service, versions.name, EXPERIMENT)
        service.serving.traffic.experiments.record_outcome(versions.name, "new", 1)
        await put(service, versions.name, {})
        ended = await report_of(service, versions.name)
        assert (ended["running"], ended["arms"][1]["outcomes"]) == (False, 1)
        assert not service.serving.traffic.experiments.record_outcome(versions.name, "new", 1)
        await steer(service, versions.name, EXPERIMENT)
        assert (await report_of(service, versions.name))["arms"][1]["outcomes"] == 0
        missing = await service.client.get(f"/api/v1/models/{versions.name}/experiments/other")
        assert (missing.status_code, missing.json()["code"]) == (404, "experiment_not_found")

    async def test_takes_no_outcome_that_cannot_be_or_is_of_an_earlier_answer(
        self, service: Service, versions: Publisher
    ) -> None:
        await steer(service, versions.name, EXPERIMENT)
        experiments = service.serving.traffic.experiments
        with pytest.raises(OutcomeRefused, match="0 or 1"):
            experiments.record_outcome(versions.name, "new", 0.5)
        before = datetime.now(UTC) - timedelta(hours=1)
        assert not experiments.record_outcome(versions.name, "new", 1, predicted_at=before)
        assert not experiments.record_outcome(versions.name, "none", 1)
        assert (await report_of(service, versions.name))["arms"][1]["outcomes"] == 0
