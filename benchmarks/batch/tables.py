"""The figures as tables in the terminal, and their cells as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmarks.serving.tables import limit

Figures = Mapping[str, Any]
TARGET_HEADING = ["what", "at least", "aim", "seen", "reached", ""]
ROUND_HEADING = ["round", "job, s", "rival, s", "ratio"]
TABLES = {"stored": "from the object store and to it", "uploaded": "from a file and to one, the upload included"}
MEMORY_HEADING = ["process", "most, MB", "after the small table, MB"]
COLD = "the first of all, for which a model is loaded"
WAIT_HEADING = ["wait for the first result, ms", "p50", "p95", "most"]


def targets(result: Figures) -> Table:
    """Return what was to be reached, and what was."""
    return _filled("Targets", TARGET_HEADING, target_rows(result))


def target_rows(result: Figures) -> list[list[str]]:
    """Return the same as text."""
    rows = []
    for entry in result["targets"]:
        reached = "aim" if entry["aimed"] else {True: "yes", False: "NO", None: "-"}[entry["passed"]]
        limits = [limit(entry, entry[name]) for name in ("at_least", "aim")]
        seen = "-" if entry["seen"] is None else f"{entry['seen']:.3g}{entry['unit']}"
        rows.append([entry["what"], *limits, seen, reached, entry["remark"]])
    return rows


def details(result: Figures) -> Iterator[Table]:
    """Yield the tables of what was measured."""
    if (table := result.get("table")) is not None:
        for where, words in TABLES.items():
            yield _filled(f"{table['rows']:,} rows, {words}", ROUND_HEADING, rounds(table[where], "script"))
        yield _filled("Memory of the worker", MEMORY_HEADING, memory(table))
    if (images := result.get("images")) is not None:
        yield _filled(f"{images['images']:,} images: a job and a loop", ROUND_HEADING, rounds(images, "loop"))
    if rows := waits(result):
        yield _filled("Waits", WAIT_HEADING, rows)


def rounds(found: Figures, rival: str) -> list[list[str]]:
    """Return the seconds of each round."""
    pairs = zip(found["job_seconds"], found[f"{rival}_seconds"], strict=True)
    return [
        [str(number), f"{job:g}", f"{other:g}", f"{other / job:.2f}"] for number, (job, other) in enumerate(pairs, 1)
    ]


def memory(table: Figures) -> list[list[str]]:
    """Return the most that the processes of each kind have held."""
    small = table["small"]["memory_mb"]
    return [[kind, _list(held), _list(small[kind])] for kind, held in table["memory_mb"].items()]


def waits(result: Figures) -> list[list[str]]:
    """Return the waits of small jobs."""
    rows, found = [], dict[str, Figures]()
    if (first := result.get("first")) is not None:
        rows.append([COLD, "", "", f"{first['cold_ms']:g}"])
        found["one job after the other"] = first
    if (fairness := result.get("fairness")) is not None:
        each = f"a tenant every {fairness['interval_s']:g} s"
        found[each] = fairness["idle"]
        found[f"{each}, beside a backlog"] = fairness["busy"]
    figures = ("p50_ms", "p95_ms", "most_ms")
    return [*rows, *([name, *(f"{one[figure]:g}" for figure in figures)] for name, one in found.items())]


def _list(figures: Sequence[float]) -> str:
    return ", ".join(f"{one:g}" for one in figures)


def _filled(title: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*heading, title=title)
    for row in rows:
        table.add_row(*row)
    return table
