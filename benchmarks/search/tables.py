"""The figures as tables in the terminal, and their cells as text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from benchmarks.search.cells import CELLS, share
from benchmarks.search.corpus import TAGS
from benchmarks.serving.tables import limit

Figures = Mapping[str, Any]
TARGET_HEADING = ["what", "at least", "aim", "seen", "reached", ""]
RECALL_HEADING = ["store", *(f"recall, {share(tag)}" for tag in TAGS), "of hybrid", "short answers", "settings"]
LOAD_HEADING = ["store", "load, items/s", "seconds of each step", "MiB on the disk"]
SHOWN = ("lancedb", "pylance", "chromadb", "postgres", "pgvector", "numpy", "pyarrow")


def targets(result: Figures) -> list[list[str]]:
    """Return what was to be reached, and what was."""
    rows = []
    for entry in result["targets"]:
        reached = "aim" if entry["aimed"] else {True: "yes", False: "NO", None: "-"}[entry["passed"]]
        limits = [limit(entry, entry[name]) for name in ("at_least", "aim")]
        rows.append([entry["what"], *limits, _seen(entry), reached, entry["remark"]])
    return rows


def _seen(entry: Figures) -> str:
    value = entry["seen"]
    if value is None:
        return "-"
    return f"{value:.0f}{entry['unit']}" if value >= 1000 else f"{value:.4g}{entry['unit']}"


def of_size(items: int, figures: Figures) -> Iterator[Table]:
    """Yield the tables of one size."""
    for title, heading, rows in (
        ("recall@10 under filters", RECALL_HEADING, recall(figures)),
        ("p50 / p95, ms, with embedding", ["query", *figures["contenders"]], times(figures)),
        ("load", LOAD_HEADING, loads(figures)),
    ):
        yield filled(f"{items:,} items: {title}", heading, rows)


def filled(title: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table of rows."""
    table = Table(*heading, title=title)
    for row in rows:
        table.add_row(*row)
    return table


def recall(figures: Figures) -> list[list[str]]:
    """Return recall under each filter, by store."""
    rows = []
    for name, entry in figures["contenders"].items():
        found = entry["filters"]
        cells = [f"{found[tag]['recall_at_10']:.3f}" if tag in found else "" for tag in TAGS]
        fused = f"{entry['fused']['recall_at_10']:.3f}" if "fused" in entry else ""
        rows.append([name, *cells, fused, str(short(entry)), entry["settings"]])
    return rows


def short(entry: Figures) -> int:
    """Return the answers of a store that had fewer items than there are."""
    asked = sum(found["short_answers"] for found in entry["filters"].values())
    return asked + sum(timing["short"] for timing in entry["queries"].values())


def times(figures: Figures) -> list[list[str]]:
    """Return the times of each kind of query, by store; the first row is the embedding alone, which all need."""
    entries = figures["contenders"].values()
    alone = figures["embedding"]
    rows = [["embedding alone", *[_time(alone)] * len(entries)]]
    for cell in CELLS:
        found = [_time(entry["queries"][cell.name]) if cell.name in entry["queries"] else "" for entry in entries]
        if any(found):
            rows.append([cell.name, *found])
    return rows


def loads(figures: Figures) -> list[list[str]]:
    """Return how fast the items were stored and indexed, and what they take."""
    rows = []
    for name, entry in figures["contenders"].items():
        steps = entry.get("load_seconds", {})
        rate = f"{entry['items_per_second']:,}" if steps else ""
        words = ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
        rows.append([name, rate, words, f"{entry.get('bytes', 0) / 2**20:,.0f}"])
    return rows


def growth(result: Figures) -> list[list[str]]:
    """Return p50 and p95 of hybrid queries, or of vectors where there are none, by store and size."""
    sizes = sorted(result["sizes"], key=int)
    names = dict.fromkeys(name for items in sizes for name in result["sizes"][items]["contenders"])
    rows = []
    for name in names:
        for mode in ("hybrid", "vector"):
            cells = []
            for items in sizes:
                timing = result["sizes"][items]["contenders"].get(name, {}).get("queries", {}).get(mode)
                cells.append(_time(timing) if timing else "")
            if any(cells):
                rows.append([name, mode, *cells])
    return rows


def problems(result: Figures) -> dict[str, str]:
    """Return what is missing, and why."""
    found = dict(result.get("not_installed", {}))
    for items, figures in result["sizes"].items():
        found |= {f"{name}, {int(items):,} items": reason for name, reason in figures["problems"].items()}
    return found


def _time(timing: Figures) -> str:
    failed = f" ({timing['failed']} failed)" if timing["failed"] else ""
    return f"{timing['p50_ms']:.1f} / {timing['p95_ms']:.1f}{failed}"
