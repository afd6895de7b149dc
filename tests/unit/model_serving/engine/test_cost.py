"""What is learnt of a model's calls."""

from collections.abc import Callable

import pytest

from services.model_serving.engine.cost import TRIALS, Cost


def teach(cost: Cost, seconds: Callable[[int], float], waiting: int, calls: int = 40, each: int = 1) -> list[int]:
    """Make calls as a queue that is never empty does, of requests with some rows each, and return their rows."""
    made = []
    for _ in range(calls):
        rows = max(each, min(waiting, cost.most_rows or waiting) // each * each)
        cost.learn(rows, seconds(rows))
        made.append(rows)
    return made


class TestMostRows:
    def test_calls_that_cost_in_proportion_stay_short(self) -> None:
        cost = Cost()
        cost.learn(1, 0.005)
        made = teach(cost, lambda rows: 0.005 * rows, waiting=500)
        assert max(made) == 31
        assert made[-1] == 7

    def test_calls_of_one_price_grow_to_all_that_wait(self) -> None:
        cost = Cost()
        cost.learn(1, 0.08)
        made = teach(cost, lambda rows: 0.08 + 0.00001 * rows, waiting=500)
        assert made[-1] == 500

    def test_a_size_that_was_never_seen_is_approached_step_by_step(self) -> None:
        cost = Cost()
        cost.learn(1, 0.04)
        assert teach(cost, lambda rows: 0.04 * rows, waiting=1000, calls=1) == [3]

    def test_quick_calls_have_no_limit(self) -> None:
        cost = Cost()
        teach(cost, lambda rows: 0.0001 + 0.0000001 * rows, waiting=1000)
        assert cost.most_rows is None

    def test_one_slow_call_does_not_keep_calls_small_for_ever(self) -> None:
        cost = Cost()
        cost.learn(1, 0.03)
        cost.learn(2, 0.4)
        assert cost.most_rows == 1
        made = teach(cost, lambda rows: 0.03 + 0.0001 * rows, waiting=64, calls=TRIALS + 20)
        assert made[0] == 1
        assert made[-1] == 64

    @pytest.mark.parametrize("each", [4, 100])
    @pytest.mark.parametrize("stray_first", [True, False])
    def test_one_small_request_does_not_end_the_sharing_of_large_ones(self, each: int, stray_first: bool) -> None:
        def seconds(rows: int) -> float:
            return 0.03 + 0.00001 * rows

        cost = Cost()
        if stray_first:
            cost.learn(1, seconds(1))
        made = teach(cost, seconds, waiting=1000, each=each)
        assert made[-1] == 1000
        cost.learn(1, seconds(1))
        assert set(teach(cost, seconds, waiting=1000, each=each)) == {1000}

    def test_requests_above_the_limit_count_towards_its_trial(self) -> None:
        cost = Cost()
        cost.learn(1, 0.03)
        cost.learn(2, 0.4)
        made = teach(cost, lambda rows: 0.03 + 0.0001 * rows, waiting=64, calls=2 * TRIALS + 20, each=4)
        assert made[0] == 4
        assert made[-1] == 64

    def test_a_model_that_became_quick_shares_again(self) -> None:
        cost = Cost()
        cost.learn(1, 2.0)
        made = teach(cost, lambda _: 0.0002, waiting=100, calls=TRIALS)
        assert made[-1] == 100


class TestExpectation:
    @pytest.mark.parametrize(("rows", "seconds"), [(1, 0.01), (2, 0.02), (7, 0.04)])
    def test_an_unknown_size_costs_in_proportion_to_the_largest_smaller_one(self, rows: int, seconds: float) -> None:
        cost = Cost()
        assert cost.expect(rows) == float("inf")
        cost.learn(1, 0.01)
        assert cost.expect(rows) == pytest.approx(seconds)
