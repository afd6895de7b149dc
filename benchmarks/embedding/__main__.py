"""Measure the embedding service against sentence-transformers and infinity-emb; print tables and write JSON.

All encode the same texts in turns, a slice of a judged collection each round; figures are medians over the rounds. Exit
code 1 when a target is missed.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from benchmarks.embedding import infinity, page, service, tables
from benchmarks.embedding.contender import make_contenders
from benchmarks.embedding.criteria import judge
from benchmarks.embedding.infinity import Running
from benchmarks.embedding.ladder import Row, climb
from benchmarks.embedding.measuring import measure
from benchmarks.embedding.names import NAME
from benchmarks.embedding.options import Options, parse
from benchmarks.embedding.rate import slice_of
from benchmarks.embedding.reference import Reference
from benchmarks.serving import environments
from benchmarks.serving.backing import backing
from benchmarks.serving.environments import NotInstalledError
from benchmarks.serving.tables import targets
from benchmarks.stack import machine
from mlplatform.retrieval.collection import Collection, CollectionError, read_collection

WIDTH = 170
"""Columns of what is written to a file."""
BUSY = 0.5
"""Load average above which the machine is not at rest."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
Report = Callable[[str], None]


def main() -> int:
    """Run what was asked for and return 1 when a target is missed."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is stopped
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    try:
        collections = {folder.resolve().name: read_collection(folder) for folder in options.data}
    except CollectionError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    if bound := [name for name in THREADS if name in os.environ]:
        console.print(f"[red]unset {' and '.join(bound)}[/red]: everybody is to take as many threads as by itself")
        return 2
    busy = os.getloadavg()[0]
    if busy > BUSY:
        console.print(f"[red]the machine is not at rest (load average {busy:.1f}): the figures will not tell much")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlp-bench-")))
        others, versions, missing = _others(stack, folder, options, console.print)
        settings = stack.enter_context(backing(options.stack_env, console.print))
        served = stack.enter_context(service.running(settings, folder, options.backend))
        reference = Reference()
        entrants = make_contenders(reference, served, others)
        about = {
            "machine": machine.describe(),
            "load_average_before": busy,
            "versions": {NAME: {found.name.lower(): found.version for found in distributions()}, **versions},
            "missing": missing,
            "encoder": served.encoder(),
            "ready_seconds": round(served.ready_seconds, 1),
            "chosen_seconds": round(served.chosen_seconds, 1),
        }
        results = []
        for name, collection in collections.items():
            console.print(f"collection {name}")
            figures = measure(
                collection, entrants, served=served, reference=reference, options=options, report=console.print
            )
            figures["ladder"] = _ladder(collection, options, console.print) if options.ladder else []
            results.append(_result(name, collection, options, {**about, **figures}))
    for result in results:
        _write(result, options, console)
    if options.kept:
        page.main()
    return int(any(target["passed"] is False for result in results for target in result["targets"]))


def _others(
    stack: ExitStack, folder: Path, options: Options, report: Report
) -> tuple[Sequence[Running], dict[str, dict[str, str]], dict[str, str]]:
    """Start infinity; return what runs, its packages, and why something does not."""
    if not options.infinity:
        return [], {}, {}
    try:
        environment = environments.ensure(
            infinity.NAME, options.home / "environments", report, requirements=infinity.REQUIREMENTS
        )
    except NotInstalledError as error:
        report(f"{infinity.NAME} cannot be installed: {error}")
        return [], {}, {infinity.NAME: str(error)}
    running, problems = stack.enter_context(infinity.running(environment, folder, report))
    return running, {infinity.NAME: environment.versions()}, problems


def _ladder(collection: Collection, options: Options, report: Report) -> list[Row]:
    texts = slice_of(list(collection.documents.values()), 0, options.texts)
    return climb(texts, threads=os.cpu_count() or 1, rounds=options.rounds, report=report)


def _result(name: str, collection: Collection, options: Options, figures: Mapping[str, Any]) -> dict[str, Any]:
    result = {
        "collection": name,
        "documents": len(collection.documents),
        "options": {"rounds": options.rounds, "texts": options.texts, "backend": options.backend},
        **figures,
    }
    return {**result, "targets": judge(result)}


def _write(result: dict[str, Any], options: Options, console: Console) -> None:
    options.output.mkdir(exist_ok=True, parents=True)
    path = options.output / f"embedding-{result['collection']}.json"
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(tables.of_contenders(result))
    console.print(tables.of_trials(result))
    if result["ladder"]:
        console.print(tables.of_rungs(result))
    console.print(targets(result))
    for name, reason in tables.missing(result).items():
        console.print(f"[red]{name}[/] is missing: {reason}")
    console.print(f"written to {os.path.relpath(path)}")


if __name__ == "__main__":
    sys.exit(main())
