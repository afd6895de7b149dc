"""The targets: what the platform has to reach, as ratios within one run, and whether it does."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.duels import AGAINST_MLFLOW, AGAINST_PEERS, HALF, LATENCY, RATE, TREES, Duel, names
from benchmarks.serving.platform import NAME
from benchmarks.serving.subjects import LARGE, LINEAR
from benchmarks.serving.summary import ratio

LATE_SHARE = 0.01
Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Criterion:
    """A target.

    Attributes:
        what: What is compared.
        at_least: What has to be reached.
        aim: What is hoped for.
        higher: Whether more is better; otherwise the limits are ceilings.
        unit: Written behind the figures.
        seen: Takes the figure out of a run, with a remark; None when it was not measured.
    """

    what: str
    at_least: float
    aim: float
    higher: bool
    unit: str
    seen: Callable[[Result], tuple[float, str] | None]


def _won(duel: Duel) -> Callable[[Result], tuple[float, str] | None]:
    """Take the ratio from the duel, or from the medians of the rounds when there was none."""

    def seen(result: Result) -> tuple[float, str] | None:
        if (fought := result.get("duels", {}).get(duel.name)) is not None:
            own, other, times = fought["own"], fought["other"], fought["ratio"]
            first, second = fought["own_figures"][duel.figure], fought["other_figures"][duel.figure]
        else:
            if (opponents := names(duel, result["contenders"])) is None:
                return None
            own, other = opponents
            first, second = (result["contenders"][name]["cells"][duel.cell.name][duel.figure] for name in opponents)
            times = first / second if duel.high else second / first
        if result["contenders"][own]["protocol"] != "MLflow split":
            return None
        where = "" if fought else ", medians of the rounds"
        return times, f"{first:.4g} of {own} against {second:.4g} of {other}{where}"

    return seen


def _pair(name: str, first: str, second: str, figure: str) -> Callable[[Result], tuple[float, str] | None]:
    def seen(result: Result) -> tuple[float, str] | None:
        pair = result.get("pairs", {}).get(name)
        if pair is None:
            return None
        one, other = pair[first][figure], pair[second][figure]
        return one / other, f"{one:.4g} against {other:.4g}"

    return seen


def _poison(result: Result) -> tuple[float, str] | None:
    found = result["contenders"].get(NAME, {}).get("poison")
    if not found:
        return None
    good = sum(kind["good"] for kind in found.values())
    return float(sum(kind["failed"] for kind in found.values())), f"of {good}"


def _goodput(subject: str) -> Callable[[Result], tuple[float, str] | None]:
    def seen(result: Result) -> tuple[float, str] | None:
        found = result.get("floods", {}).get(subject)
        if found is None:
            return None
        offered = ratio(found["sent"], found["capacity"])
        return 100 * found["share"], f"{found['goodput']:.0f} of {found['peak']:.0f}/s, {offered:.1f}x sent"

    return seen


def _accepted(result: Result) -> tuple[float, str] | None:
    found = result.get("floods", {})
    if not found:
        return None
    worst, name = max((_lateness(entry), name) for name, entry in found.items())
    return worst, f"{name}, deadline {found[name]['deadline_s']:g} s"


def _lateness(flood: Result) -> float:
    """Return the p99 of accepted requests as a share of the deadline; endless when over 1 % got no answer in time."""
    late = flood["too_late"] > LATE_SHARE or math.isnan(flood["p99_ms"])
    return math.inf if late else flood["p99_ms"] / 1000 / flood["deadline_s"]


def _promotion(figure: str) -> Callable[[Result], tuple[float, str] | None]:
    def seen(result: Result) -> tuple[float, str] | None:
        found = result.get("promotion")
        if found is None:
            return None
        return float(found[figure]), f"{len(found['waits_s'])} changes at {found['requests_per_second']:.0f} requests/s"

    return seen


def _memory(result: Result) -> tuple[float, str] | None:
    found = result.get("memory")
    if found is None:
        return None
    own, stock = found["platform_mib"]["proportional"], found["stock_mib"]["proportional"]
    return stock / own, f"{own:.0f} against {stock:.0f} MiB, {found['stock_servers']} stock servers started"


CRITERIA = (
    Criterion(
        "requests/s, c=32, against mlflow models serve",
        12,
        30,
        True,
        "x",
        _won(AGAINST_MLFLOW),
    ),
    Criterion(
        "requests/s, c=32, against the best other server",
        2.5,
        5,
        True,
        "x",
        _won(AGAINST_PEERS),
    ),
    Criterion(
        "p50, c=1, against mlflow models serve",
        8,
        12,
        True,
        "x faster",
        _won(LATENCY),
    ),
    Criterion(
        "LightGBM, requests/s, c=1, against mlflow models serve",
        20,
        50,
        True,
        "x",
        _won(TREES),
    ),
    Criterion("p50, c=1, batching on against off", 1.15, 1.0, False, "x", _pair("batching", "on", "off", HALF)),
    Criterion("good requests failed by a bad neighbour", 0, 0, False, "", _poison),
    Criterion(
        "1000 rows, binary tensors against JSON split", 2, 4, True, "x", _pair("encoding", "binary", "split", RATE)
    ),
    Criterion("goodput at 3x overload against the peak", 90, 97, True, " %", _goodput(LINEAR)),
    Criterion("the same, predictions of milliseconds", 90, 97, True, " %", _goodput(LARGE)),
    Criterion("p99 of accepted requests then, against the deadline", 1, 1, False, "x", _accepted),
    Criterion("promotion to served under load, p95", 1.0, 0.3, False, " s", _promotion("p95_s")),
    Criterion("requests failed by promotions", 0, 0, False, "", _promotion("failed")),
    Criterion("20 models in one process against 20 stock servers", 8, 15, True, "x less", _memory),
    Criterion("throughput with tracing on against off", 0.9, 1.0, True, "x", _pair("tracing", "on", "off", RATE)),
)


def judge(result: Result, criteria: Sequence[Criterion] = CRITERIA) -> list[dict[str, Any]]:
    """Return every target with what was seen and whether it was reached; both are None where nothing was measured."""
    judged = []
    for criterion in criteria:
        found = criterion.seen(result)
        value, remark = found if found is not None else (None, "not measured")
        judged.append(
            {
                "what": criterion.what,
                "at_least": criterion.at_least,
                "aim": criterion.aim,
                "higher": criterion.higher,
                "unit": criterion.unit,
                "seen": value,
                "remark": remark,
                "passed": None if value is None else reached(value, criterion.at_least, higher=criterion.higher),
                "aimed": None if value is None else reached(value, criterion.aim, higher=criterion.higher),
            }
        )
    return judged


def reached(value: float, limit: float, *, higher: bool) -> bool:
    """Return whether a figure is on the right side of a limit; one that is no number is not."""
    return value >= limit if higher else value <= limit
