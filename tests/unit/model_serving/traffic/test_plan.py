"""Who gets which version."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.model_serving.traffic.assignment import BUCKETS, bucket
from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.epochs import next_epochs
from services.model_serving.traffic.plan import Plan, compile_plan

KEYS = [f"caller-{number}" for number in range(20_000)]


def plan_of(**document: object) -> Plan:
    parsed = TrafficDocument.model_validate(document)
    return compile_plan("model", 1, parsed, next_epochs(parsed, None, {}, 1))


def experiment(*weights: float, percent: float = 100.0, name: str = "e") -> dict[str, object]:
    arms = [
        {"name": f"arm{position}", "version": position + 1, "weight": weight} for position, weight in enumerate(weights)
    ]
    return {"name": name, "arms": arms, "percent": percent}


def labels(plan: Plan) -> dict[str, str]:
    return {key: plan.choose(key).label for key in KEYS}


class TestBucket:
    def test_is_the_same_everywhere_and_always(self) -> None:
        """Replicas of two releases must agree, so this value may never change."""
        assert bucket("model", "canary", "caller-1") == 1140

    @given(st.text(), st.text(), st.text())
    def test_takes_any_text(self, model: str, salt: str, key: str) -> None:
        assert 0 <= bucket(model, salt, key) < BUCKETS

    def test_is_spread_evenly(self) -> None:
        counted = Counter(bucket("model", "salt", key) // 1000 for key in KEYS)
        # 2,000 each are expected, with a standard deviation of 42.
        assert all(1_800 < count < 2_200 for count in counted.values())


class TestCanary:
    @pytest.mark.parametrize("percent", [0, 0.5, 10, 99.99, 100])
    def test_has_its_share(self, percent: float) -> None:
        counted = Counter(labels(plan_of(canary={"version": 2, "percent": percent})).values())
        assert counted["canary"] / len(KEYS) == pytest.approx(percent / 100, abs=0.01)
        assert percent not in {0, 100} or len(counted) == 1

    @given(st.floats(0, 100), st.floats(0, 100), st.sampled_from(KEYS))
    def test_keeps_whom_it_has_when_it_grows(self, one: float, other: float, key: str) -> None:
        less, more = sorted((one, other))
        if plan_of(canary={"version": 2, "percent": less}).choose(key).label == "canary":
            assert plan_of(canary={"version": 2, "percent": more}).choose(key).label == "canary"


class TestExperiment:
    def test_deals_by_weight(self) -> None:
        counted = Counter(labels(plan_of(experiment=experiment(1, 2, 5))).values())
        shares = [counted[f"ab:arm{position}"] / len(KEYS) for position in range(3)]
        assert shares == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)

    def test_keeps_arms_when_its_share_grows(self) -> None:
        some, all_of_them = (
            labels(plan_of(experiment=experiment(1, 1, percent=20))),
            labels(plan_of(experiment=experiment(1, 1, percent=100))),
        )
        taking_part = [key for key in KEYS if some[key] != "primary"]
        assert len(taking_part) / len(KEYS) == pytest.approx(0.2, abs=0.02)
        assert all(some[key] == all_of_them[key] for key in taking_part)

    def test_deals_anew_under_another_name(self) -> None:
        one, other = (
            labels(plan_of(experiment=experiment(1, 1))),
            labels(plan_of(experiment=experiment(1, 1, name="f"))),
        )
        assert sum(one[key] == other[key] for key in KEYS) / len(KEYS) == pytest.approx(0.5, abs=0.02)

    def test_without_weight_to_speak_of_still_has_all_arms_in_range(self) -> None:
        plan = plan_of(experiment=experiment(1, 1_000_000, 1))
        assert set(labels(plan).values()) <= {"ab:arm0", "ab:arm1", "ab:arm2"}
