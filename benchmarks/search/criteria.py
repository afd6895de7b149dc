"""The targets of search, and whether they are reached."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.search.cells import share
from benchmarks.search.corpus import TAGS
from benchmarks.search.service import NAME
from benchmarks.serving.criteria import Criterion
from benchmarks.serving.criteria import judge as judge_criteria

Result = Mapping[str, Any]
Seen = Callable[[Result], tuple[float, str] | None]


def judge(result: Result) -> list[dict[str, Any]]:
    """Return every target with what was seen and whether it was reached; both are None where nothing was measured."""
    return judge_criteria(result, CRITERIA)


def _own(result: Result) -> Iterator[tuple[int, Result]]:
    """Yield the sizes at which the platform was measured, and its figures."""
    for items, figures in sorted(result["sizes"].items(), key=lambda size: int(size[0])):
        if NAME in figures["contenders"]:
            yield int(items), figures["contenders"][NAME]


def _recall(tag: str) -> Seen:
    def seen(result: Result) -> tuple[float, str] | None:
        found = {items: own["filters"][tag]["recall_at_10"] for items, own in _own(result) if tag in own["filters"]}
        return _worst(found, min, "{:.3f}")

    return seen


def _short(result: Result) -> tuple[float, str] | None:
    found, answers, failed = {}, 0, 0
    for items, own in _own(result):
        options = result["sizes"][str(items)]["options"]
        cells = list(own["queries"].values())
        found[items] = sum(entry["short_answers"] for entry in own["filters"].values())
        found[items] += sum(timing["short"] for timing in cells)
        failed += sum(timing["failed"] for timing in cells)
        answers += len(own["filters"]) * options["recall_queries"] + sum(timing["queries"] for timing in cells)
    return (float(sum(found.values())), f"of {answers} answers; {failed} failed") if found else None


def _time(wanted: int) -> Seen:
    def seen(result: Result) -> tuple[float, str] | None:
        timing = dict(_own(result)).get(wanted, {}).get("queries", {}).get("hybrid")
        if timing is None:
            return None
        return timing["p95_ms"], f"p50 {timing['p50_ms']:g} ms, {timing['per_second']:g} queries/s"

    return seen


def _wait(result: Result) -> tuple[float, str] | None:
    found = {items: own["indexing"]["wait_ms"]["p95"] for items, own in _own(result) if "indexing" in own}
    return _worst(found, max, "{:g} ms")


def _bulk(result: Result) -> tuple[float, str] | None:
    found = {items: own["indexing"]["bulk"]["items_per_second"] for items, own in _own(result) if "indexing" in own}
    return _worst(found, min, "{:g}/s")


def _worst(found: Mapping[int, float], worst: Callable[[Any], float], form: str) -> tuple[float, str] | None:
    if not found:
        return None
    return worst(found.values()), ", ".join(f"{form.format(value)} at {items:,}" for items, value in found.items())


CRITERIA = (
    *(
        Criterion(f"recall@10 against exact, filter that {share(tag)} meet", 0.95, 0.99, True, "", _recall(tag))
        for tag in TAGS
    ),
    Criterion("answers shorter than asked while enough items match", 0, 0, False, "", _short),
    Criterion("hybrid query at 100,000 items, p95, embedding included", 40, 15, False, " ms", _time(100_000)),
    Criterion("the same at 1,000,000 items", 150, 60, False, " ms", _time(1_000_000)),
    Criterion("index to searchable with wait=true, one item, p95", 150, 60, False, " ms", _wait),
    Criterion("bulk rate without embedding", 2000, 5000, True, "/s", _bulk),
)
