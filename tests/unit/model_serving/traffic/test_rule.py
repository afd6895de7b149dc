"""When a candidate is stopped."""

import numpy as np
import pytest

from services.model_serving.traffic.document import AbortRule
from services.model_serving.traffic.histogram import LATENCY
from services.model_serving.traffic.rule import FAILING_SHARE, judge
from services.model_serving.traffic.tally import Outcome, Tally

RULE = AbortRule()


def tally_of(seconds: np.ndarray, errors: int = 0, refused: int = 0) -> Tally:
    tally = Tally()
    for each in seconds:
        tally.count(Outcome.OK, float(each))
    for outcome, count in ((Outcome.ERROR, errors), (Outcome.REFUSED, refused)):
        for _ in range(count):
            tally.count(outcome, 0.0)
    return tally


def latencies(count: int, scale: float = 0.01, seed: int = 1) -> np.ndarray:
    """Return latencies with a long tail."""
    return scale * np.random.default_rng(seed).lognormal(0, 0.5, count)


def two_speeds(count: int, slow: int) -> Tally:
    """Return answers of 2 ms, and some of 50 ms."""
    tally = Tally(requests=count)
    tally.latency[LATENCY.index(0.002)] = count - slow
    tally.latency[LATENCY.index(0.05)] = slow
    return tally


class TestErrors:
    def test_that_are_many_more_stop_it(self) -> None:
        breach = judge(tally_of(latencies(1000), errors=2), tally_of(latencies(90), errors=20), RULE)
        assert breach is not None
        assert (breach.cause, breach.requests) == ("error_rate", 110)
        assert "18.18% against 0.20%" in str(breach)

    def test_within_the_margin_or_explained_by_chance_do_not(self) -> None:
        assert judge(tally_of(latencies(1000), errors=2), tally_of(latencies(1000), errors=10), RULE) is None
        assert judge(tally_of(latencies(1000), errors=5), tally_of(latencies(60), errors=2), RULE) is None

    def test_that_both_sides_have_do_not(self) -> None:
        assert judge(tally_of(latencies(500), errors=500), tally_of(latencies(50), errors=50), RULE) is None

    def test_before_there_are_enough_requests_do_not(self) -> None:
        assert judge(tally_of(latencies(1000)), tally_of(latencies(0), errors=49), RULE) is None
        assert judge(tally_of(latencies(49)), tally_of(latencies(300), errors=200), RULE) is None

    def test_of_callers_do_not(self) -> None:
        assert judge(tally_of(latencies(1000)), tally_of(latencies(60), refused=900), RULE) is None

    def test_are_not_looked_at_when_the_rule_is_off(self) -> None:
        rule = AbortRule(enabled=False)
        assert judge(tally_of(latencies(1000)), tally_of(latencies(0), errors=500), rule) is None


class TestErrorsWithoutAReference:
    @pytest.mark.parametrize("known", [0, 49])
    def test_of_most_requests_stop_it(self, known: int) -> None:
        breach = judge(tally_of(latencies(known)), tally_of(latencies(10), errors=40), RULE)
        assert breach is not None
        assert (breach.cause, breach.reference) == ("error_rate", None)
        assert str(breach).startswith("error rate 80.00% over 50 requests, with too few")

    def test_of_half_the_requests_do_not(self) -> None:
        assert judge(Tally(), tally_of(latencies(250), errors=250), RULE) is None

    def test_of_more_than_half_that_chance_explains_do_not(self) -> None:
        assert judge(Tally(), tally_of(latencies(22), errors=28), RULE) is None

    def test_before_there_are_enough_requests_do_not(self) -> None:
        assert judge(Tally(), tally_of(latencies(0), errors=49), RULE) is None

    def test_that_the_few_of_the_other_side_have_too_do_not(self) -> None:
        assert judge(tally_of(latencies(0), errors=20), tally_of(latencies(0), errors=500), RULE) is None

    def test_leave_latency_unjudged(self) -> None:
        assert judge(Tally(), tally_of(latencies(500, 10.0)), RULE) is None

    def test_that_come_with_half_the_requests_stop_few_windows_however_often_one_looks(self) -> None:
        rng = np.random.default_rng(5)
        stopped = 0
        for failed in rng.random((200, 600)) < FAILING_SHARE:
            errors = np.cumsum(failed)
            stopped += any(
                judge(Tally(), Tally(requests=n, errors=int(errors[n - 1])), RULE) is not None
                for n in range(50, 601, 10)
            )
        assert stopped <= 2


class TestLatency:
    def test_of_three_times_the_reference_stops_it(self) -> None:
        breach = judge(tally_of(latencies(1000)), tally_of(latencies(200, 0.03)), RULE)
        assert breach is not None
        assert breach.cause == "latency_p99"
        assert breach.reference is not None
        assert breach.observed > 1.5 * breach.reference

    def test_of_a_slow_tail_stops_it_too(self) -> None:
        slow = np.concatenate([latencies(180), np.full(20, 1.0)])
        breach = judge(tally_of(latencies(1000)), tally_of(slow), RULE)
        assert breach is not None
        assert breach.cause == "latency_p99"

    @pytest.mark.parametrize(("share", "requests"), [(0.9, 1000), (0.95, 2000), (0.9, 5000), (0.8, 2000)])
    def test_of_a_slow_tail_stops_it_when_few_requests_are_left_to_the_reference(
        self, share: float, requests: int
    ) -> None:
        """One in a hundred of the reference takes 50 ms, one in four of the candidate."""
        suspects = int(share * requests)
        known = requests - suspects
        breach = judge(two_speeds(known, known // 100), two_speeds(suspects, suspects // 4), RULE)
        assert breach is not None
        assert breach.cause == "latency_p99"

    def test_within_the_ratio_does_not(self) -> None:
        assert judge(tally_of(latencies(1000)), tally_of(latencies(1000, 0.0115, seed=2)), RULE) is None


class TestFalseAlarms:
    @pytest.mark.parametrize("share", [0.05, 0.5])
    def test_of_equal_versions_are_rare_however_often_one_looks(self, share: float) -> None:
        """200 windows that fill from nothing, each looked at after every ten requests."""
        rng = np.random.default_rng(3)
        stopped = 0
        for _ in range(200):
            sides = [Tally(), Tally()]
            for number in range(600):
                failed = rng.random() < 0.02
                seconds = 0.01 * float(rng.lognormal(0, 0.5))
                sides[rng.random() < share].count(Outcome.ERROR if failed else Outcome.OK, seconds)
                if number % 10 == 9 and judge(*sides, RULE) is not None:
                    stopped += 1
                    break
        assert stopped <= 2

    @pytest.mark.parametrize(
        ("share", "requests", "slow"), [(0.9, 1000, 0.03), (0.95, 2000, 0.02), (0.9, 5000, 0.02), (0.8, 2000, 0.03)]
    )
    def test_of_a_slow_tail_that_few_requests_of_the_reference_show_are_rare(
        self, share: float, requests: int, slow: float
    ) -> None:
        """500 windows; where the reference's percentile is taken for exact, 1 % to 17 % of them are stopped."""
        rng = np.random.default_rng(7)
        stopped = 0
        for _ in range(500):
            answered = [requests - (suspects := int(rng.binomial(requests, share))), suspects]
            sides = [two_speeds(count, int(rng.binomial(count, slow))) for count in answered]
            stopped += judge(*sides, RULE) is not None
        assert stopped == 0
