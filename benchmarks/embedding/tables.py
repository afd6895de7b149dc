"""The figures of a collection as rows of text, and as tables in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.embedding.names import NAME

CONTENDERS = (
    "encoder",
    "settings",
    "texts/s",
    "ml-platform is faster by",
    "texts per s of processor time",
    "whole documents/s",
    "faster by",
    "query, p50 / p95 ms",
    "cosine to fp32, mean / least",
    "nDCG@10",
    "resident, MiB",
)
TRIALS = ("backend", "texts/s", "query, ms", "cosine to fp32", "refused")
RUNGS = ("backend", "texts/s", "query, ms")


def contenders(result: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for everybody, and one for each that is missing."""
    ndcg = result.get("ndcg_at_10", {})
    rows = [
        [
            name,
            found["settings"],
            f"{found['texts_per_second']:.1f}",
            "" if name == NAME else f"{result['speed_up'][name]['clock']:.2f}x",
            f"{found['texts_per_processor_second']:.1f}",
            f"{found['whole']['texts_per_second']:.1f}",
            "" if name == NAME else f"{result['speed_up_whole'][name]['clock']:.2f}x",
            f"{found['query_ms_p50']:.2f} / {found['query_ms_p95']:.2f}",
            f"{found['cosine_mean']:.4f} / {found['cosine_least']:.4f}",
            f"{ndcg[name]:.4f}" if name in ndcg else "",
            str(found.get("resident_mib", "")),
        ]
        for name, found in result["contenders"].items()
    ]
    blank = [""] * (len(CONTENDERS) - 2)
    return rows + [[name, f"does not run: {reason}", *blank] for name, reason in missing(result).items()]


def missing(result: Mapping[str, Any]) -> dict[str, str]:
    """Return who could not be measured, and the last line of why."""
    return {
        name: (reason.strip().splitlines() or ["no reason given"])[-1] for name, reason in result["missing"].items()
    }


def trials(result: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each backend that the service tried when it started."""
    names = ("backend", "texts_per_second", "query_milliseconds", "cosine", "refused")
    return [[_shown(trial[name]) for name in names] for trial in result["encoder"]["choice"]["trials"]]


def rungs(result: Mapping[str, Any]) -> list[list[str]]:
    """Return a row for each backend measured by itself; none when that was not asked for."""
    return [[_shown(rung[name]) for name in ("backend", "texts_per_second", "query_ms")] for rung in result["ladder"]]


def of_contenders(result: Mapping[str, Any]) -> Table:
    """Return everybody's figures."""
    return _table(f"{result['collection']}: everybody, medians", CONTENDERS, contenders(result))


def of_trials(result: Mapping[str, Any]) -> Table:
    """Return what the service measured of backends."""
    return _table("backends, as the service tried them", TRIALS, trials(result))


def of_rungs(result: Mapping[str, Any]) -> Table:
    """Return the backends measured by themselves."""
    return _table(f"{result['collection']}: backends without HTTP", RUNGS, rungs(result))


def _table(title: str, heading: tuple[str, ...], rows: list[list[str]]) -> Table:
    table = Table(*heading, title=title)
    for row in rows:
        table.add_row(*row)
    return table


def _shown(value: object) -> str:
    return "" if value is None else str(value)
