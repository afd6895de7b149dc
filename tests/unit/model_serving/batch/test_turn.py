"""A turn is as long as it should be, whatever the items take."""

from collections.abc import Callable

import pytest

from services.model_serving.batch.scoring.pace import GROWTH, Pace
from services.model_serving.batch.scoring.turn import GRACE, Turn, evenly


class Clock:
    """A clock that goes on while items are scored, and tells how many were at a time.

    Args:
        cost: Seconds that each item takes, by its number.
        call: Seconds that each call takes besides.
    """

    def __init__(self, cost: Callable[[int], float], call: float = 0.0) -> None:
        self.now = 100.0
        self.sizes: list[int] = []
        self._cost = cost
        self._call = call

    def __call__(self) -> float:
        return self.now

    def turn(self, pace: Pace, first: int, count: int, *, most: int = 64, seconds: float = 1.0) -> int:
        """Score items from the first one on, and return how many were."""
        done = 0
        for part in Turn(seconds, pace, self).cut(count, most):
            assert part.start == done
            self.sizes.append(part.stop - part.start)
            self.now += self._call + sum(self._cost(first + number) for number in range(part.start, part.stop))
            done = part.stop
        return done

    def turns(self, count: int, *, most: int = 64, seconds: float = 1.0) -> list[tuple[int, float]]:
        """Score so many items, and return how many were scored in each turn and how long that took."""
        pace, found, done = Pace(), [], 0
        while done < count:
            begin = self.now
            items = self.turn(pace, done, count - done, most=most, seconds=seconds)
            found.append((items, self.now - begin))
            done += items
        return found


class TestSlow:
    def test_an_item_that_takes_as_long_as_a_turn_is_one_once_it_is_known_that_it_is_not_the_call(self) -> None:
        assert Clock(lambda _: 1.0).turns(6) == [(1, 1.0), (2, 2.0), (1, 1.0), (1, 1.0), (1, 1.0)]

    def test_an_item_that_takes_longer_cannot_be_cut(self) -> None:
        assert Clock(lambda _: 30.0).turns(3) == [(1, 30.0)] * 3

    @pytest.mark.parametrize("cost", [0.004, 0.02, 0.1, 0.3, 0.7])
    def test_turns_are_as_long_as_they_should_be(self, cost: float) -> None:
        found = Clock(lambda _: cost).turns(1000)
        assert sum(items for items, _ in found) == 1000
        assert max(seconds for _, seconds in found) <= 1.0 + GRACE + 1e-9
        assert len(found) <= 1000 * cost / max(cost, 1.0 - cost) + 2

    def test_items_that_take_longer_than_those_before_spoil_three_turns_at_most(self) -> None:
        found = Clock(lambda number: 0.001 if number < 500 else 1.0).turns(600)
        assert 1 <= sum(seconds > 1.0 + GRACE for _, seconds in found) <= 3
        assert found[-1] == (1, 1.0)

    def test_a_little_that_is_left_is_not_left_for_another_turn(self) -> None:
        for count, turns in {12: [12], 13: [8, 5], 20: [8, 12], 21: [8, 8, 5]}.items():
            assert [items for items, _ in Clock(lambda _: 0.125).turns(count)] == turns

    def test_items_that_take_less_than_those_before_are_soon_scored_together(self) -> None:
        clock = Clock(lambda number: 1.0 if number < 20 else 0.001)
        found = clock.turns(600)
        assert len(found) < 20 + 6
        assert max(clock.sizes) == 64


class TestCalls:
    @pytest.mark.parametrize("call", [0.1, 0.3, 0.5, 0.6, 0.9, 1.5])
    @pytest.mark.parametrize(("count", "most", "item"), [(1000, 64, 0.001), (100_000, 8192, 5e-6)])
    def test_a_call_that_takes_long_is_not_made_for_few_items(
        self, call: float, count: int, most: int, item: float
    ) -> None:
        clock = Clock(lambda _: item, call=call)
        found = clock.turns(count, most=most)
        assert len(clock.sizes) <= 2 * (count // most + 4)
        assert max(seconds for _, seconds in found) <= max(2 * call, 1.0) + GRACE


class TestFast:
    def test_one_turn_does_it_and_calls_are_soon_as_large_as_they_may_be(self) -> None:
        clock = Clock(lambda _: 0.0001, call=0.002)
        assert clock.turns(256) == [(256, pytest.approx(0.0256 + 0.002 * len(clock.sizes)))]
        assert clock.sizes == [1, 8, 64, 64, 64, 55]

    def test_what_is_known_of_the_job_holds_for_its_next_chunk(self) -> None:
        clock, pace = Clock(lambda _: 0.0001), Pace()
        clock.turn(pace, 0, 256)
        clock.sizes.clear()
        assert clock.turn(pace, 256, 256) == 256
        assert clock.sizes == [64] * 4

    def test_a_job_like_others_begins_with_more(self) -> None:
        clock = Clock(lambda _: 0.0001, call=0.002)
        assert clock.turn(Pace((0.002, 0.0001)), 0, 256) == 256
        assert clock.sizes == [8, 64, 64, 64, 56]

    @pytest.mark.parametrize("times", [8, 50, 64])
    def test_whose_items_take_far_longer_after_all_has_no_long_turn(self, times: int) -> None:
        item = 1.0 / GROWTH**2
        clock, pace, done, longest = Clock(lambda _: times * item), Pace((0.0, item)), 0, 0.0
        while done < 200:
            begin = clock.now
            done += clock.turn(pace, done, 200 - done)
            longest = max(longest, clock.now - begin)
        assert longest <= GROWTH * times * item + 1e-9 or longest <= 1.0 + GRACE

    def test_a_first_call_that_takes_long_is_soon_forgotten(self) -> None:
        clock, pace = Clock(lambda number: 5.0 if number == 0 else 0.0001), Pace()
        done = turns = 0
        while done < 256:
            done += clock.turn(pace, done, 256 - done)
            turns += 1
        assert turns < 6

    def test_a_clock_that_stands_still_ends_nothing(self) -> None:
        assert Clock(lambda _: 0.0).turns(1000) == [(1000, 0.0)]


class TestEvenly:
    def test_all_items_once(self) -> None:
        assert [*evenly(7, 3)] == [slice(0, 3), slice(3, 6), slice(6, 7)]
        assert [*evenly(0, 3)] == []
