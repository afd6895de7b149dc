"""What may be logged."""

from datetime import UTC, datetime

import pytest

from mlplatform.registry.model_version import RegisteredModel
from services.model_serving.monitoring.policy import LogPolicies, LogPolicy, read_policy


def model(**tags: str) -> RegisteredModel:
    now = datetime.now(UTC)
    return RegisteredModel("m", "", {}, {key.replace("_", "."): value for key, value in tags.items()}, now, now)


class TestSample:
    def test_is_the_share_it_says(self) -> None:
        policy = LogPolicy(0.1, frozenset())
        taken = sum(policy.takes(f"request-{number}") for number in range(20_000))
        assert taken == pytest.approx(2000, abs=250)

    def test_of_a_smaller_share_is_part_of_that_of_a_larger(self) -> None:
        ids = [f"r{number}" for number in range(1000)]
        small, large = LogPolicy(0.1, frozenset()), LogPolicy(0.4, frozenset())
        assert all(large.takes(name) for name in ids if small.takes(name))

    def test_everything_and_nothing_are_exact(self) -> None:
        assert all(LogPolicy(1.0, frozenset()).takes(f"r{number}") for number in range(100))
        assert not any(LogPolicy(0.0, frozenset()).takes(f"r{number}") for number in range(100))


class TestTags:
    def test_go_before_the_setting(self) -> None:
        assert read_policy({"ml.log.sample": "0.5"}, 0.01).sample == 0.5
        assert read_policy({}, 0.01).sample == 0.01

    @pytest.mark.parametrize("text", ["many", "2", "-1", "nan"])
    def test_a_share_that_is_none_logs_nothing(self, text: str) -> None:
        assert read_policy({"ml.log.sample": text}, 0.01).sample == 0.0

    def test_name_the_columns_to_leave_out(self) -> None:
        policy = read_policy({"ml.log.exclude": "name, birthday"}, 1)
        assert [policy.hides(name) for name in ("name", "birthday", "income")] == [True, True, False]


class TestPolicies:
    def test_a_model_that_is_not_known_yet_is_not_logged(self) -> None:
        policy = LogPolicies(lambda _: None, 1.0).of("m")
        assert not policy.takes("r")
        assert policy.hides("a")

    def test_a_known_one_has_the_policy_of_its_tags(self) -> None:
        assert LogPolicies(lambda _: model(ml_log_sample="0.2"), 1.0).of("m").sample == 0.2
