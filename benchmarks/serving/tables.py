"""The figures as tables in the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.serving.cells import CELLS, ONE, PEAK

MARKS = {True: "[green]yes", False: "[red]no", None: "-"}


def targets(result: Mapping[str, Any]) -> Table:
    """Return what was to be reached, and what was."""
    table = Table("what", "at least", "aim", "seen", "reached", "", title="Targets")
    for entry in result["targets"]:
        limits = [limit(entry, entry[name]) for name in ("at_least", "aim")]
        seen = "-" if entry["seen"] is None else f"{entry['seen']:.3g}{entry['unit']}"
        mark = "[green]aim" if entry["aimed"] else MARKS[entry["passed"]]
        table.add_row(entry["what"], *limits, seen, mark, entry["remark"])
    return table


def limit(entry: Mapping[str, Any], value: float) -> str:
    """Return a limit with its direction."""
    if value == 0:
        return "0"
    return f"{'≥' if entry['higher'] else '≤'} {value:g}{entry['unit']}"


def rates(result: Mapping[str, Any]) -> Table:
    """Return requests per second of every contender in every cell, and the latencies that matter most."""
    cells = [cell.name for cell in CELLS if any(cell.name in entry["cells"] for entry in result["contenders"].values())]
    table = Table("server", *cells, "p50 ms, c=1", "p99 ms, c=32", title="Requests per second, medians")
    for name, entry in result["contenders"].items():
        found = entry["cells"]
        figures = [f"{found[cell]['requests_per_second']:.0f}" if cell in found else "" for cell in cells]
        latencies = [
            f"{found[cell.name][figure]:.2f}" if cell.name in found else ""
            for cell, figure in ((ONE, "p50_ms"), (PEAK, "p99_ms"))
        ]
        failed = sum(load["failed"] for load in found.values())
        problem = f" [red]({failed} failed)" if failed else ""
        table.add_row(name + (" [red](does not run)" if entry["problem"] else problem), *figures, *latencies)
    return table


def behaviour(result: Mapping[str, Any]) -> Table:
    """Return what else there is to know of every contender."""
    table = Table(
        "server",
        "protocol",
        "settings",
        "cold start, s",
        "resident, MiB",
        "good requests failed: malformed, failing neighbour",
        "goodput at 3x",
        "p99 then, ms",
        title="Behaviour",
    )
    for name, entry in result["contenders"].items():
        table.add_row(name, entry["protocol"], entry["settings"], *behaviour_figures(entry))
    return table


def behaviour_figures(entry: Mapping[str, Any]) -> list[str]:
    """Return cold start, memory, poison and overload of one contender as text; empty where nothing was measured."""
    shares = [100 * kind["failed"] / kind["good"] for kind in entry["poison"].values() if kind["good"]]
    memory, overload = entry.get("memory_mib"), entry.get("overload")
    p99 = overload["p99_ms"] if overload else None
    return [
        f"{entry['cold_start_s']:.1f}" if "cold_start_s" in entry else "",
        f"{memory['resident']:.0f} ({memory['processes']})" if memory else "",
        ", ".join(f"{share:.0f} %" for share in shares),
        f"{100 * overload['share']:.0f} %" if overload else "",
        f"{p99:.0f}" if p99 else "",
    ]


def problems(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the contenders and the parts of the run that are missing, and why."""
    given_up = {name: entry["problem"] for name, entry in result["contenders"].items() if entry["problem"]}
    return result["not_installed"] | given_up | result["problems"]
