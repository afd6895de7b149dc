"""The targets of batch jobs, and whether they are reached."""

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.serving.criteria import Criterion
from benchmarks.serving.criteria import judge as judge_criteria

Result = Mapping[str, Any]


def judge(result: Result) -> list[dict[str, Any]]:
    """Return every target with what was seen and whether it was reached; both are None where nothing was measured."""
    return judge_criteria(result, CRITERIA)


def _table(result: Result) -> tuple[float, str] | None:
    if (found := result.get("table")) is None:
        return None
    words = f"{found['rows']:,} rows, {found['csv_mb']:g} MB; {_times(found['stored'], 'script')}"
    return _valid(found, found["stored"]["ratio"], f"{words}; with its upload {found['uploaded']['ratio']:.3g}x")


def _memory(result: Result) -> tuple[float, str] | None:
    if (found := result.get("table")) is None:
        return None
    held, small = (one["memory_mb"]["scorer"] for one in (found, found["small"]))
    return max(held), f"{max(small):g} MB after a table of {found['small']['rows']:,} rows"


def _images(result: Result) -> tuple[float, str] | None:
    if (found := result.get("images")) is None:
        return None
    return _valid(
        found, found["ratio"], f"{found['images']:,} images, {found['batch']} in a call; {_times(found, 'loop')}"
    )


def _scorer(result: Result) -> tuple[float, str] | None:
    if (found := result.get("images")) is None:
        return None
    scorer = found["scorer"]
    return scorer["ratio"], f"{scorer['images_per_second']:g} against {scorer['loop_images_per_second']:g} images/s"


def _first(result: Result) -> tuple[float, str] | None:
    if (found := result.get("first")) is None:
        return None
    return found["p95_ms"] / 1000, f"{found['jobs']} jobs of {found['items']} items, p50 {found['p50_ms']:g} ms"


def _fairness(result: Result) -> tuple[float, str] | None:
    if (found := result.get("fairness")) is None:
        return None
    words = f"{found['tenants']} tenants, {found['busy']['p95_ms']:g} against {found['idle']['p95_ms']:g} ms"
    if not found["backlog_lasted"]:
        return math.nan, f"{words}; the backlog did not last"
    return found["ratio"], f"{words}, {found['backlog_fewest']:,} items waiting or more"


def _valid(found: Result, ratio: float, words: str) -> tuple[float, str]:
    """Return the ratio, which is none when the answers are others."""
    return (ratio, words) if found["same_answers"] else (math.nan, f"{words}; other answers")


def _times(found: Result, rival: str) -> str:
    job, other = min(found["job_seconds"]), min(found[f"{rival}_seconds"])
    return f"at best {job:g} against {other:g} s"


CRITERIA = (
    Criterion("throughput of a table, CSV to Parquet, against pandas and predict", 0.7, 1.0, True, "x", _table),
    Criterion("most memory of a process that scores it", 600, 450, False, " MB", _memory),
    Criterion("throughput of images as a job, against a loop of PyTorch", 0.8, 1.0, True, "x", _images),
    Criterion("throughput of the scorer alone, against the same loop", 0.8, 1.0, True, "x", _scorer),
    Criterion("submit to first result, small job, p95", 1.0, 0.3, False, " s", _first),
    Criterion("p95 wait beside a tenant with 10,000 queued items, against idle", 3, 1.5, False, "x", _fairness),
)
