"""The documentation's page of figures, written from the JSON of the runs: `python -m benchmarks.embedding.page`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.embedding import tables
from benchmarks.embedding.options import RESULTS, ROOT
from benchmarks.serving.page import table
from benchmarks.serving.tables import limit

PAGE = ROOT / "docs" / "benchmarks" / "embedding.md"
METHOD = Path(__file__).with_name("method.md")
NONE_KEPT = "No run has been kept yet. `make bench-embedding DATA=DIR` makes one and writes this page.\n"
SHOWN = (
    "torch",
    "sentence-transformers",
    "transformers",
    "openvino",
    "onnxruntime",
    "numpy",
    "infinity-emb",
    "optimum",
)


def render(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        results: A run for each collection; none when none is kept.
    """
    parts = ["# Speed of embedding\n"]
    if results:
        parts += [_targets(results), *map(_collection, results)]
    else:
        parts.append(NONE_KEPT)
    parts.append(METHOD.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _targets(results: Sequence[Mapping[str, Any]]) -> str:
    heading = ["what", "at least", "aim"]
    for result in results:
        heading += [f"seen, {result['collection']}", ""]
    rows = []
    for entries in zip(*(result["targets"] for result in results), strict=True):
        row = [entries[0]["what"], *(limit(entries[0], entries[0][name]) for name in ("at_least", "aim"))]
        for entry in entries:
            row += [_seen(entry), entry["remark"]]
        rows.append(row)
    return "## Targets\n\n" + table(heading, rows)


def _seen(entry: Mapping[str, Any]) -> str:
    if entry["seen"] is None:
        return "-"
    reached = "aim" if entry["aimed"] else {True: "yes", False: "**no**"}[entry["passed"]]
    return f"{entry['seen']:.4g}{entry['unit']}: {reached}"


def _collection(result: Mapping[str, Any]) -> str:
    machine, options = result["machine"], result["options"]
    cores = f"{machine['cores']} cores ({machine['processor']})"
    rounds = "1 round" if options["rounds"] == 1 else f"{options['rounds']} rounds"
    when = (
        f"Measured on {machine['date']}: {cores}, {machine['memory_gib']} GiB, Python {machine['python']}; "
        f"{result['documents']} documents, {rounds} of {options['texts']} texts of {result['tokens']['mixed']:g} "
        f"tokens in the mean, whole documents {result['tokens']['whole']:g}; medians. The service was ready "
        f"{result['ready_seconds']:g} s after its start, and had chosen {result['encoder']['backend']} after "
        f"{result['chosen_seconds']:g} s.\n"
    )
    parts = [f"## {result['collection']}\n", when, table(list(tables.CONTENDERS), tables.contenders(result))]
    parts += [
        "Backends, as the service tried them:\n",
        table(list(tables.TRIALS), tables.trials(result)),
    ]
    if result["ladder"]:
        parts += ["Backends on this collection, without HTTP:\n", table(list(tables.RUNGS), tables.rungs(result))]
    return "\n".join([*parts, _versions(result)])


def _versions(result: Mapping[str, Any]) -> str:
    words = []
    for name, versions in result["versions"].items():
        packages = ", ".join(f"{package} {versions[package]}" for package in SHOWN if package in versions)
        words.append(f"{name}: {packages}")
    return f"Versions: {'; '.join(words)}.\n"


def read_kept() -> list[dict[str, Any]]:
    """Return the runs that are kept, by the names of their collections."""
    return [orjson.loads(path.read_bytes()) for path in sorted(RESULTS.glob("embedding-*.json"))]


def main() -> None:
    """Write the page from the runs that are kept."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(read_kept()), encoding="utf-8")


if __name__ == "__main__":
    main()
