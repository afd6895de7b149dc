"""Measure batch jobs: tables beside pandas, images beside PyTorch, the wait for a first result, and fairness.

Prints tables and writes JSON. Exit code 1 when a target is missed.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.batch import images, page, rows, tables, waits
from benchmarks.batch.bucket import Bucket, bucket
from benchmarks.batch.criteria import judge
from benchmarks.batch.models import publish_images, publish_rows
from benchmarks.batch.nodes import Nodes, running
from benchmarks.batch.options import RESULTS, Options, parse
from benchmarks.search import databases
from benchmarks.serving.backing import backing
from benchmarks.serving.platform import Platform
from benchmarks.serving.rounds import calibrate
from benchmarks.stack import machine

WIDTH = 200
"""Columns of what is written to a file."""
BUSY = 0.5
"""Load average above which the machine is not at rest."""
DATABASE = "mlp_bench_batch"
PACKAGES = ("scikit-learn", "pandas", "pyarrow", "torch", "celery", "numpy")
Step = Callable[[], None]
Begin = Callable[[str, int], Step]


def main() -> int:
    """Run what was asked for and return 1 when a target is missed."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = WIDTH
    busy = os.getloadavg()[0]
    if busy > BUSY:
        console.print(f"[red]the machine is not at rest (load average {busy:.1f}): the figures will not tell much")
    result: dict[str, Any] = {
        "machine": machine.describe(),
        "load_average_before": round(busy, 2),
        "versions": {package: version(package) for package in PACKAGES},
        "options": {"rounds": options.rounds, "processes": options.processes, "quick": options.quick},
    }
    with ExitStack() as stack:
        begin = stack.enter_context(_progress(console))
        settings = stack.enter_context(_own(options, console.print))
        platform = Platform(settings)
        stack.callback(platform.clean)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlp-bench-")))
        console.print("train and register the models, and start serving and a worker")
        _measure(options, platform, folder, begin, result)
    result["targets"] = judge(result)
    _write(result, options)
    if options.json:
        sys.stdout.buffer.write(_text(result))
    else:
        console.print(tables.targets(result))
        for table in tables.details(result):
            console.print(table)
        if options.output is not None:
            console.print(f"written to {os.path.relpath(options.output)}")
    return int(any(target["passed"] is False for target in result["targets"]))


def _measure(options: Options, platform: Platform, folder: Path, begin: Begin, result: dict[str, Any]) -> None:
    models = {"rows": publish_rows(platform)}
    if "images" in options.parts:
        models["images"] = publish_images(platform)
    tracking = platform.settings["ML_MLFLOW_URL"]
    calibrations: list[float] = []
    result["calibration_ms"] = calibrations

    def part(name: str, words: str, steps: int, work: Callable[[Nodes, Step], dict[str, Any]]) -> None:
        if name not in options.parts:
            return
        calibrations.append(round(calibrate(), 1))
        home = folder / name
        home.mkdir()
        # Each part has processes of its own, so that none pays for what another left in memory.
        with running(platform.settings, platform.prefix, home, options.processes) as nodes:
            result[name] = work(nodes, begin(words, steps))

    def table(nodes: Nodes, step: Step) -> dict[str, Any]:
        return rows.measure(
            nodes,
            models["rows"],
            folder / "table",
            Bucket.of(platform.settings),
            rows=options.rows,
            rounds=options.rounds,
            tracking=tracking,
            step=step,
        )

    def pictures(nodes: Nodes, step: Step) -> dict[str, Any]:
        home = folder / "images"
        return images.measure(nodes, models["images"], home, count=options.images, rounds=options.rounds, step=step)

    def first(nodes: Nodes, step: Step) -> dict[str, Any]:
        return waits.first_results(nodes, models["rows"], options.jobs, step)

    def fair(nodes: Nodes, step: Step) -> dict[str, Any]:
        return waits.fairness(
            nodes,
            models["rows"],
            tenants=options.tenants,
            interval=options.interval,
            backlog=options.backlog,
            step=step,
        )

    part("table", f"a table of {options.rows:,} rows", options.rounds + 1, table)
    part("images", f"{options.images:,} images", options.rounds + 1, pictures)
    part("first", "first results", options.jobs, first)
    part("fairness", "fairness", 2 * (options.tenants - 1), fair)


@contextmanager
def _own(options: Options, report: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Yield the settings of a stack, with a database, a Redis database and a bucket of the benchmark's own."""
    with ExitStack() as stack:
        settings = stack.enter_context(backing(options.stack_env, report))
        database = stack.enter_context(databases.database(settings, DATABASE, keep=False))
        redis = stack.enter_context(databases.redis(settings["ML_REDIS_URL"]))
        own = {
            **settings,
            databases.APP: database.app,
            databases.OWNER: database.owner,
            "ML_REDIS_URL": redis,
            "ML_S3_BUCKET": f"mlp-bench-batch-{uuid4().hex[:8]}",
        }
        stack.enter_context(bucket(own))
        yield own


@contextmanager
def _progress(console: Console) -> Iterator[Begin]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:

        def begin(words: str, steps: int) -> Step:
            task = progress.add_task(words, total=steps)
            return lambda: progress.advance(task)

        yield begin


def _write(result: Mapping[str, Any], options: Options) -> None:
    if options.output is None:
        return
    options.output.parent.mkdir(exist_ok=True, parents=True)
    options.output.write_bytes(_text(result))
    if options.output == RESULTS:
        page.main()


def _text(result: Mapping[str, Any]) -> bytes:
    return orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    sys.exit(main())
