"""Measure start, memory, promotion and prediction of the embedded stack; write a table and JSON."""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import clone
import machine
import model
import prediction
import promotion
import startup
from rich.console import Console
from rich.table import Table

from mlplatform.stack import Stack
from mlplatform.stack.ports import choose_port

RESULTS = Path(__file__).parents[1] / "results" / "stack.json"
MODEL = "benchmark"
MIB = 2**20
CEILINGS = {
    "demo in a fresh clone, s": 360.0,
    "demo again, s": 60.0,
    "up on an empty home, s": 40.0,
    "up again, s": 40.0,
    "resident memory, MiB": 4096.0,
    "promotion to serving, p95 s": 2.0,
    "predictions failed during promotions": 0.0,
    "one-row predict, p50 ms": 12.0,
}


def main() -> int:
    """Run what was asked for and return 1 when a figure is above its ceiling."""
    options = _parse()
    console = Console(stderr=options.json)
    figures: dict[str, float] = {}
    detail: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres runs as another user when root runs this
        if options.clone:
            console.print("make demo in a fresh clone, twice")
            first, again = clone.measure(folder, options.data)
            figures |= {"demo in a fresh clone, s": first, "demo again, s": again}
        with _stack(folder) as stack:
            _measure_stack(stack, options, console, figures, detail)
    result = {"machine": machine.describe(), "figures": figures, "ceilings": CEILINGS, "detail": detail}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    if options.json:
        print(json.dumps(result))
    else:
        console.print(_table(figures))
        console.print(f"written to {os.path.relpath(RESULTS)}")
    return int(any(value > CEILINGS[name] for name, value in figures.items()))


def _measure_stack(
    stack: Stack,
    options: argparse.Namespace,
    console: Console,
    figures: dict[str, float],
    detail: dict[str, object],
) -> None:
    console.print("up on an empty home, down, up again")
    figures["up on an empty home, s"] = startup.start(stack).seconds
    stack.down()
    figures["up again, s"] = startup.start(stack).seconds
    environment = stack.env()
    row = model.register_versions(environment["ML_MLFLOW_URL"], MODEL, options.versions)
    waits, failed = promotion.measure(environment, MODEL, row, options.versions, console.print)
    figures["promotion to serving, p95 s"] = statistics.quantiles(waits, n=20)[18]
    figures["predictions failed during promotions"] = failed
    latency = prediction.measure(environment["ML_SERVING_URL"], MODEL, row, options.requests)
    figures["one-row predict, p50 ms"] = latency.p50
    resident = startup.resident(stack)
    figures["resident memory, MiB"] = sum(resident.values()) / MIB
    detail |= {
        "promotion_to_serving_s": [round(wait, 4) for wait in waits],
        "predict_ms": {"p50": latency.p50, "p95": latency.p95, "p99": latency.p99, "requests": latency.requests},
        "resident_mib": {name: round(size / MIB) for name, size in resident.items()},
    }


@contextmanager
def _stack(folder: Path) -> Iterator[Stack]:
    """A stack of its own on free ports, deleted afterwards."""
    chosen: list[int] = []
    for _ in clone.PORTS:
        chosen.append(choose_port(chosen))
    settings = dict(zip(clone.PORTS, map(str, chosen), strict=True))
    stack = Stack(folder / ".mlp", settings | {"PATH": os.environ["PATH"]})
    try:
        yield stack
    finally:
        stack.reset()


def _table(figures: Mapping[str, float]) -> Table:
    table = Table("figure", "seen", "ceiling")
    for name, ceiling in CEILINGS.items():
        if name in figures:
            style = "red" if figures[name] > ceiling else ""
            table.add_row(name, f"{figures[name]:.2f}", f"{ceiling:g}", style=style)
    return table


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clone", action="store_true", help="also time `make demo` in a fresh clone (minutes)")
    parser.add_argument("--data", type=Path, help="curves to train on in that demo")
    parser.add_argument("--versions", type=int, default=11, help="versions to promote and roll back")
    parser.add_argument("--requests", type=int, default=2000, help="one-row predictions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
