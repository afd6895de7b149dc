"""The documentation's page of figures, written from the JSON of a kept run: `python -m benchmarks.batch.page`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks.batch import tables
from benchmarks.batch.options import RESULTS, ROOT
from benchmarks.serving.page import table

PAGE = ROOT / "docs" / "benchmarks" / "batch.md"
METHOD = Path(__file__).with_name("method.md")
NONE_KEPT = "No run has been kept yet. `make bench-batch` makes one and writes this page.\n"


def render(result: Mapping[str, Any] | None) -> str:
    """Return the page.

    Args:
        result: The run; None when none is kept.
    """
    parts = ["# Speed of batch jobs\n"]
    parts += [NONE_KEPT] if result is None else [_targets(result), _when(result), _details(result)]
    parts.append(METHOD.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _targets(result: Mapping[str, Any]) -> str:
    return "## Targets\n\n" + table(tables.TARGET_HEADING, tables.target_rows(result))


def _when(result: Mapping[str, Any]) -> str:
    machine, options, calibrations = result["machine"], result["options"], result["calibration_ms"]
    versions = ", ".join(f"{package} {number}" for package, number in result["versions"].items())
    cores = f"{machine['cores']} cores ({machine['processor']})"
    spread = max(calibrations) / min(calibrations)
    return (
        f"Measured on {machine['date']}: {cores}, {machine['memory_gib']} GiB, Python {machine['python']}, {versions}. "
        f"The worker had {options['processes']} processes that score; {options['rounds']} rounds, whose ratios are "
        f"medians. The load average was {result['load_average_before']:g} before the run, and a fixed piece of work "
        f"took {spread:.2f} times as long before the slowest part as before the fastest.\n"
    )


def _details(result: Mapping[str, Any]) -> str:
    scored, images = result["table"], result["images"]
    return "\n".join(
        [
            f"## A table of {scored['rows']:,} rows\n",
            *(
                f"{words.capitalize()}:\n\n{table(tables.ROUND_HEADING, tables.rounds(scored[where], 'script'))}"
                for where, words in tables.TABLES.items()
            ),
            table(tables.MEMORY_HEADING, tables.memory(scored)),
            f"## {images['images']:,} images\n",
            table(tables.ROUND_HEADING, tables.rounds(images, "loop")),
            "## Waits\n",
            table(tables.WAIT_HEADING, tables.waits(result)),
        ]
    )


def read_kept() -> dict[str, Any] | None:
    """Return the run that is kept."""
    if not RESULTS.is_file():
        return None
    kept: dict[str, Any] = orjson.loads(RESULTS.read_bytes())
    return kept


def main() -> None:
    """Write the page from the run that is kept."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(read_kept()), encoding="utf-8")


if __name__ == "__main__":
    main()
