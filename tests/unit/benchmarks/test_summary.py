import math

import pytest

from benchmarks.serving.floods import Floods
from benchmarks.serving.open_loop import Flood
from benchmarks.serving.rounds import Overload
from benchmarks.serving.summary import best, of_floods, of_loads, of_overloads, percentile
from benchmarks.serving.wrk import Load


def contender(group: str, rate: float) -> dict[str, object]:
    return {"group": group, "cells": {"c": {"requests_per_second": rate, "p50_ms": 1000 / rate}}}


class TestPercentile:
    @pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.01, 1)])
    def test_nearest_rank(self, share, expected):
        assert percentile(range(20, 0, -1), share) == expected

    def test_single_value(self):
        assert percentile([3.0], 0.95) == 3.0


class TestOfLoads:
    def test_medians_are_taken_figure_by_figure(self):
        found = of_loads([Load(100, 3, 9, 0), Load(300, 1, 8, 2), Load(200, 2, 7, 0)])
        assert (found["requests_per_second"], found["p50_ms"], found["p99_ms"]) == (200, 2, 8)
        assert (found["failed"], found["rounds"]) == (2, [100, 300, 200])


class TestOfOverloads:
    def test_share_is_that_of_each_round(self):
        floods = [Flood(300, 300, 90, 5, 50, {"200": 90, "503": 210}), Flood(600, 500, 100, 5, 70, {"200": 100})]
        found = of_overloads([Overload(100, floods[0]), Overload(200, floods[1])])
        assert math.isclose(found["share"], 0.7)  # of 0.9 and 0.5
        assert found["statuses"] == {"200": 190, "503": 210}


class TestOfFloods:
    def test_share_is_that_of_neighbouring_slices(self):
        peaks = [Flood(300, 100, 100, 5, 9, {"200": 100}), Flood(300, 200, 200, 5, 9, {"200": 200})]
        floods = [Flood(300, 300, 90, 5, 50, {"200": 90, "503": 210}), Flood(300, 300, 100, 5, 70, {"200": 100})]
        found = of_floods(Floods(100, peaks, floods), 2.0)
        assert math.isclose(found["share"], 0.7)
        assert (found["p99_ms"], found["deadline_s"]) == (60, 2.0)
        assert found["statuses"] == {"200": 190, "503": 210}
        assert found["too_late"] == 0

    def test_what_was_accepted_and_not_answered_in_time_is_too_late(self):
        peak = Flood(300, 100, 100, 5, 9, {"200": 100})
        flood = Flood(300, 300, 90, 5, 50, {"200": 90, "503": 200, "504": 6, "late": 3, "0": 1})
        assert math.isclose(of_floods(Floods(100, [peak], [flood]), 2.0)["too_late"], 0.1)


ENTRIES = {"slow": contender("A", 10), "fast": contender("A", 20), "other": contender("B", 90)}


class TestBest:
    def test_within_the_groups(self):
        assert best(ENTRIES, ("A",), "c", "requests_per_second", high=True) == ("fast", 20)
        assert best(ENTRIES, ("A",), "c", "p50_ms", high=False) == ("fast", 50)
        assert best(ENTRIES, ("A", "B"), "c", "requests_per_second", high=True) == ("other", 90)

    def test_nobody_was_measured(self):
        assert best(ENTRIES, ("A",), "another cell", "p50_ms", high=False) is None
