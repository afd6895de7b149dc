import pytest

from benchmarks.serving.cells import ONE, PEAK
from benchmarks.serving.duels import AGAINST_MLFLOW, AGAINST_PEERS, LATENCY, names, of_duel
from benchmarks.serving.pairs import Pair
from benchmarks.serving.platform import NAME
from benchmarks.serving.wrk import Load


def contender(group: str, rate: float) -> dict[str, object]:
    cells = {cell: {"requests_per_second": rate, "p50_ms": 1000 / rate} for cell in (ONE.name, PEAK.name)}
    return {"group": group, "cells": cells}


SEEN = {
    "one": contender(NAME, 100),
    "two": contender(NAME, 200),
    "ray": contender("Ray Serve", 50),
    "bento": contender("BentoML", 70),
}


class TestNames:
    def test_the_best_of_each_side_meet(self):
        assert names(AGAINST_PEERS, SEEN) == ("two", "bento")

    def test_without_an_opponent_there_is_no_duel(self):
        assert names(AGAINST_MLFLOW, SEEN) is None


class TestOfDuel:
    pair = Pair([Load(100, 2, 9, 0), Load(40, 5, 9, 0)], [Load(50, 4, 9, 0), Load(10, 20, 9, 0)])

    def test_ratio_is_that_of_neighbouring_slices(self):
        found = of_duel(AGAINST_PEERS, "two", "ray", self.pair)
        assert found["ratio"] == pytest.approx(3)  # of 2 and 4, while the medians of 70 and 30 have 2.3
        assert found["own_figures"]["rounds"] == [100, 40]

    def test_of_a_latency_less_is_ahead(self):
        assert of_duel(LATENCY, "two", "ray", self.pair)["ratio"] == pytest.approx(3)  # 4/2 and 20/5
