"""The documentation's page of figures, written from the JSON of the runs: `python -m benchmarks.search.page`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks.search import tables
from benchmarks.search.options import RESULTS, ROOT
from benchmarks.serving.page import table

PAGE = ROOT / "docs" / "benchmarks" / "search.md"
METHOD = Path(__file__).with_name("method.md")
NONE_KEPT = "No run has been kept yet. `make bench-search` makes one and writes this page.\n"


def render(result: Mapping[str, Any] | None) -> str:
    """Return the page.

    Args:
        result: The sizes that were measured; None when none is kept.
    """
    parts = ["# Search: recall and speed\n"]
    if result is None:
        parts.append(NONE_KEPT)
    else:
        parts += [_targets(result), _growth(result)]
        parts += [_size(int(items), result["sizes"][items]) for items in sorted(result["sizes"], key=int)]
        parts += _missing(result)
    parts.append(METHOD.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _targets(result: Mapping[str, Any]) -> str:
    return "## Targets\n\n" + table(tables.TARGET_HEADING, tables.targets(result))


def _growth(result: Mapping[str, Any]) -> str:
    sizes = [f"{int(items):,} items" for items in sorted(result["sizes"], key=int)]
    words = "p50 / p95 in milliseconds, embedding included, four clients.\n\n"
    return "## Growth\n\n" + words + table(["store", "query", *sizes], tables.growth(result))


def _size(items: int, figures: Mapping[str, Any]) -> str:
    machine, options = figures["machine"], figures["options"]
    calibrations = figures["calibration_ms"] or [1.0]
    spread = max(calibrations) / min(calibrations)
    cores = f"{machine['cores']} cores ({machine['processor']})"
    huge = f", {machine['huge_pages_mib']} MiB of it huge pages" if machine["huge_pages_mib"] else ""
    memory = f"{machine['memory_gib']} GiB{huge}"
    when = (
        f"Measured on {machine['date']}: {cores}, {memory}, Python {machine['python']}; queries "
        f"embedded by {figures['encoder']}. {options['clients']} clients, {options['queries']} queries for each time, "
        f"{options['recall_queries']} for each recall. A fixed piece of work took {spread:.2f} times as long before "
        "the slowest store as before the fastest.\n"
    )
    heading = ["query", *figures["contenders"]]
    return "\n".join(
        [
            f"## {items:,} items\n",
            when,
            table(tables.RECALL_HEADING, tables.recall(figures)),
            "p50 / p95 in milliseconds:\n",
            table(heading, tables.times(figures)),
            table(tables.LOAD_HEADING, tables.loads(figures)),
            _versions(figures),
        ]
    )


def _versions(figures: Mapping[str, Any]) -> str:
    words = []
    for name, versions in figures["versions"].items():
        packages = ", ".join(f"{package} {versions[package]}" for package in tables.SHOWN if package in versions)
        words.append(f"{name}: {packages}")
    return f"Versions: {'; '.join(words)}.\n"


def _missing(result: Mapping[str, Any]) -> list[str]:
    found = {name: reason.strip().splitlines()[-1] for name, reason in tables.problems(result).items()}
    return ["Missing:\n", "".join(f"- {name}: {reason}\n" for name, reason in found.items())] if found else []


def main() -> None:
    """Write the page from the runs that are kept."""
    result = orjson.loads(RESULTS.read_bytes()) if RESULTS.is_file() else None
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(result), encoding="utf-8")


if __name__ == "__main__":
    main()
