"""How often versions were called and how long it took, from the metrics of this process."""

from collections import defaultdict
from typing import Any

from prometheus_client import Histogram

from services.model_serving.metrics import BATCH_ROWS, INFERENCE_DURATION, QUEUE_WAIT

NANOSECONDS = 1e9
Version = tuple[str, str]


def model_statistics(name: str | None = None, version: str | None = None) -> dict[str, Any]:
    """Return the statistics of one version, of all of a model, or of all.

    Only what is measured is told: calls of the model, their rows, and the time in the queue and in the model.
    """
    calls, rows, waits = _totals(INFERENCE_DURATION), _totals(BATCH_ROWS), _totals(QUEUE_WAIT)
    chosen = [key for key in sorted(calls) if name in {None, key[0]} and version in {None, key[1]}]
    return {"model_stats": [_statistics(key, calls[key], rows[key], waits[key]) for key in chosen]}


def _statistics(
    key: Version, calls: dict[str, float], rows: dict[str, float], waits: dict[str, float]
) -> dict[str, Any]:
    return {
        "name": key[0],
        "version": key[1],
        "inference_count": int(rows["sum"]),
        "execution_count": int(calls["count"]),
        "inference_stats": {"queue": _duration(waits), "compute_infer": _duration(calls)},
    }


def _duration(totals: dict[str, float]) -> dict[str, int]:
    return {"count": int(totals["count"]), "ns": int(totals["sum"] * NANOSECONDS)}


def _totals(histogram: Histogram) -> dict[Version, dict[str, float]]:
    found: dict[Version, dict[str, float]] = defaultdict(lambda: {"count": 0.0, "sum": 0.0})
    for metric in histogram.collect():
        for sample in metric.samples:
            kind = sample.name.rpartition("_")[2]
            if kind in {"count", "sum"}:
                found[sample.labels["model"], sample.labels["version"]][kind] = sample.value
    return found
