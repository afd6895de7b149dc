"""The documentation's page of figures, written from the JSON of a run: `python -m benchmarks.serving.page`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from benchmarks.serving.cells import CELLS
from benchmarks.serving.options import RESULTS, ROOT
from benchmarks.serving.tables import behaviour_figures, limit, problems

PAGE = ROOT / "docs" / "benchmarks" / "serving.md"
METHOD = Path(__file__).with_name("method.md")
NONE_KEPT = "No run has been kept yet. `make bench-serving` makes one and writes this page.\n"


def render(result: Mapping[str, Any] | None) -> str:
    """Return the page.

    Args:
        result: A run; None when none is kept.
    """
    parts = ["# Speed of serving\n"]
    if result is None:
        parts.append(NONE_KEPT)
    else:
        parts += [_when(result), _targets(result), _rates(result), _behaviour(result)]
    parts.append(METHOD.read_text(encoding="utf-8"))
    if result is not None:
        parts.append(_versions(result))
    return "\n".join(parts)


def _when(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    calibrations = result["calibration_ms"]
    spread = max(calibrations) / min(calibrations) if calibrations else 1.0
    options = result["options"]
    cores = f"{machine['cores']} cores ({machine['processor']})"
    return (
        f"Measured on {machine['date']}: {cores}, {machine['memory_gib']} GiB, Python {machine['python']}. "
        f"{_rounds(options['rounds'])}, {options['seconds']:g} s for each figure, medians. "
        f"A fixed piece of work took {spread:.2f} times as long in the slowest round as in the fastest.\n"
    )


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _targets(result: Mapping[str, Any]) -> str:
    rows = []
    for entry in result["targets"]:
        seen = "-" if entry["seen"] is None else f"{entry['seen']:.3g}{entry['unit']}"
        reached = "aim" if entry["aimed"] else {True: "yes", False: "**no**", None: "-"}[entry["passed"]]
        limits = [limit(entry, entry[name]) for name in ("at_least", "aim")]
        rows.append([entry["what"], *limits, seen, reached, entry["remark"]])
    return "## Targets\n\n" + table(["what", "at least", "aim", "seen", "reached", ""], rows)


def _rates(result: Mapping[str, Any]) -> str:
    rows = []
    for cell in (cell.name for cell in CELLS):
        found = [(entry["cells"][cell], name) for name, entry in result["contenders"].items() if cell in entry["cells"]]
        found.sort(key=lambda item: -item[0]["requests_per_second"])
        for place, (load, name) in enumerate(found):
            figures = [f"{load['requests_per_second']:.0f}", f"{load['p50_ms']:.2f}", f"{load['p99_ms']:.2f}"]
            rows.append(["" if place else cell, name, *figures, str(load["failed"])])
    return "## Closed loop\n\n" + table(["", "server", "requests/s", "p50, ms", "p99, ms", "failed"], rows)


def _behaviour(result: Mapping[str, Any]) -> str:
    heading = [
        "server",
        "protocol",
        "settings",
        "cold start, s",
        "resident, MiB (processes)",
        "good requests failed by a malformed, a failing neighbour",
        "goodput at 3x overload",
        "p99 then, ms",
    ]
    rows = [
        [name, entry["protocol"], entry["settings"], *behaviour_figures(entry)]
        for name, entry in result["contenders"].items()
    ]
    missing = "".join(f"- {name}: {_first_line(reason)}\n" for name, reason in problems(result).items())
    notes = f"\nMissing:\n\n{missing}" if missing else ""
    return "## Behaviour\n\n" + table(heading, rows) + notes


def _versions(result: Mapping[str, Any]) -> str:
    shown = (
        "mlflow",
        "kserve",
        "litserve",
        "bentoml",
        "ray",
        "scikit-learn",
        "numpy",
        "fastapi",
        "starlette",
        "uvicorn",
    )
    rows = [
        [name, ", ".join(f"{package} {versions[package]}" for package in shown if package in versions)]
        for name, versions in result["versions"].items()
    ]
    return "## Versions\n\n" + table(["environment", "packages"], rows)


def table(heading: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


def main() -> None:
    """Write the page from the run that is kept."""
    result = orjson.loads(RESULTS.read_bytes()) if RESULTS.is_file() else None
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(result), encoding="utf-8")


if __name__ == "__main__":
    main()
