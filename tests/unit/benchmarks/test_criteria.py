import copy
import math

from benchmarks.serving.cells import ONE, PEAK, TREES_ONE
from benchmarks.serving.criteria import CRITERIA, judge, reached
from benchmarks.serving.duels import AGAINST_PEERS
from benchmarks.serving.platform import NAME
from benchmarks.serving.subjects import LARGE, LINEAR

CELLS = (ONE.name, PEAK.name, TREES_ONE.name)


def contender(group: str, rate: float, protocol: str = "MLflow split") -> dict[str, object]:
    cells = {cell: {"requests_per_second": rate, "p50_ms": 1000 / rate} for cell in CELLS}
    return {"group": group, "protocol": protocol, "cells": cells, "poison": {}}


def pair(first: str, one: float, second: str, other: float) -> dict[str, object]:
    return {
        name: {"requests_per_second": rate, "p50_ms": 1000 / rate} for name, rate in ((first, one), (second, other))
    }


def flood(share: float, p99_ms: float, deadline_s: float) -> dict[str, float]:
    return {
        "capacity": 1000.0,
        "peak": 1000.0,
        "too_late": 0.0,
        "sent": 3000.0,
        "goodput": 1000 * share,
        "share": share,
        "p99_ms": p99_ms,
        "deadline_s": deadline_s,
    }


def result() -> dict[str, object]:
    own = contender(NAME, 3600)
    own["poison"] = {"malformed": {"good": 160, "failed": 0}, "failing": {"good": 160, "failed": 0}}
    return {
        "contenders": {
            "mlflow": contender("mlflow models serve", 60),
            "mlflow uvloop": contender("mlflow models serve", 120),
            "kserve": contender("KServe", 800, "V2 JSON"),
            NAME: own,
        },
        "pairs": {
            "batching": pair("on", 1000, "off", 1000),
            "tracing": pair("on", 950, "off", 1000),
            "encoding": pair("split", 100, "binary", 300),
        },
        "floods": {LINEAR: flood(0.95, 500.0, 30.0), LARGE: flood(1.1, 1200.0, 2.0)},
        "promotion": {"p95_s": 0.5, "failed": 0, "waits_s": [0.5] * 20, "requests_per_second": 500.0},
        "memory": {
            "platform_mib": {"proportional": 400.0},
            "stock_mib": {"proportional": 8000.0},
            "stock_servers": 20,
        },
    }


def seen(judged: list[dict[str, object]]) -> dict[str, object]:
    return {entry["what"]: entry["seen"] for entry in judged}


class TestJudge:
    def test_ratios_are_against_the_best_configuration(self):
        found = seen(judge(result()))
        assert found["requests/s, c=32, against mlflow models serve"] == 30  # of 120 and not of 60
        assert found["requests/s, c=32, against the best other server"] == 4.5
        assert math.isclose(found["p50, c=1, against mlflow models serve"], 30)
        assert found["1000 rows, binary tensors against JSON split"] == 3
        assert found["20 models in one process against 20 stock servers"] == 20

    def test_the_platforms_best_configuration_counts_too(self):
        given = result()
        given["contenders"][f"{NAME} workers"] = contender(NAME, 4800)
        found = seen(judge(given))
        assert found["requests/s, c=32, against the best other server"] == 6

    def test_good_run_passes_and_tells_aims_apart(self):
        judged = {entry["what"]: entry for entry in judge(result())}
        assert all(entry["passed"] for entry in judged.values())
        assert judged["requests/s, c=32, against mlflow models serve"]["aimed"]
        assert not judged["goodput at 3x overload against the peak"]["aimed"]
        assert judged["p99 of accepted requests then, against the deadline"]["seen"] == 0.6  # the worse of the two

    def test_requests_that_run_into_the_deadline_are_no_good_p99(self):
        given = result()
        given["floods"][LARGE]["too_late"] = 0.02
        judged = {entry["what"]: entry for entry in judge(given)}
        assert judged["p99 of accepted requests then, against the deadline"]["passed"] is False

    def test_a_duel_decides_where_one_was_fought(self):
        given = result()
        figures = {"requests_per_second": 3000.0, "p50_ms": 0.3}
        fought = {"own": NAME, "other": "kserve", "own_figures": figures, "other_figures": figures, "ratio": 2.0}
        given["duels"] = {AGAINST_PEERS.name: fought}
        found = seen(judge(given))
        assert found["requests/s, c=32, against the best other server"] == 2
        assert found["requests/s, c=32, against mlflow models serve"] == 30

    def test_one_failed_neighbour_is_too_many(self):
        given = result()
        given["contenders"][NAME]["poison"]["failing"]["failed"] = 1
        judged = {entry["what"]: entry for entry in judge(given)}
        assert judged["good requests failed by a bad neighbour"]["passed"] is False

    def test_what_was_not_measured_is_neither_passed_nor_missed(self):
        judged = judge({"contenders": {}, "pairs": {}})
        assert len(judged) == len(CRITERIA)
        assert {(entry["seen"], entry["passed"]) for entry in judged} == {(None, None)}

    def test_another_protocol_than_mlflows_is_not_compared_with_it(self):
        given = copy.deepcopy(result())
        given["contenders"][NAME]["protocol"] = "native"
        assert seen(judge(given))["requests/s, c=32, against mlflow models serve"] is None


class TestReached:
    def test_limit_itself_counts(self):
        assert reached(12, 12, higher=True)
        assert reached(1.15, 1.15, higher=False)

    def test_no_number_is_never_enough(self):
        assert not reached(math.nan, 12, higher=True)
        assert not reached(math.nan, 12, higher=False)
