"""`python -m services.model_serving.probe --model NAME --version V --json` tries a version as serving would run it.

A process of its own loads the version, scores its input example through the serving path, and compares the answer with
what MLflow gives. The promotion gate runs it: a model that breaks, hangs or takes all memory does so here.
"""

import asyncio
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated

import orjson
import typer

from mlplatform.registry.registry import Registry
from services.model_serving.background import attempt
from services.model_serving.comparison import first_difference
from services.model_serving.errors import LoadError, reason
from services.model_serving.loader import make_loader
from services.model_serving.plain import render, to_plain
from services.model_serving.process import prepare_process
from services.model_serving.settings import ServingSettings

TIMED_PREDICTIONS = 5
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found.

    Attributes:
        ok: whether the version can be served.
        load_seconds: from its folder on disk to the first prediction.
        predict_ms: median time to score the input example.
        rss_bytes: most memory that the process held.
        reason: why not, when it is not ok.
    """

    ok: bool
    load_seconds: float | None
    predict_ms: float | None
    rss_bytes: int
    reason: str | None


def probe(settings: ServingSettings, name: str, version: str) -> ProbeResult:
    """Try a version in this process."""
    with ThreadPoolExecutor(1) as executor:
        outcome = asyncio.run(attempt(executor, lambda: _try(settings, name, version)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
    if isinstance(outcome, BaseException):
        return ProbeResult(ok=False, load_seconds=None, predict_ms=None, rss_bytes=memory, reason=reason(outcome))
    load_seconds, predict_ms = outcome
    return ProbeResult(ok=True, load_seconds=load_seconds, predict_ms=predict_ms, rss_bytes=memory, reason=None)


def _try(settings: ServingSettings, name: str, version: str) -> tuple[float, float]:
    registry = Registry(settings.mlflow_url)
    loader = make_loader(registry, settings)
    model = loader.load(registry.get_version(name, version))
    example = model.example
    if example is None:
        raise LoadError("The model was logged without an input example. Pass input_example= to log_model.")
    durations = []
    for _ in range(TIMED_PREDICTIONS):
        started = time.perf_counter()
        served = orjson.loads(render(model.score(example.inputs, example.params)))
        durations.append(time.perf_counter() - started)
    reference = loader.load_reference(model)
    expected = orjson.loads(render(to_plain(reference.predict(reference.input_example, example.params or None))))
    if difference := first_difference(served, expected):
        raise LoadError(f"Serving and mlflow.pyfunc answer the input example differently, first at {difference}.")
    return round(model.report.seconds, 3), round(statistics.median(durations) * 1000, 3)


@contextmanager
def _output_kept_clean() -> Iterator[None]:
    """Send what the model prints to standard error, so that the result stands alone on standard output."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def main(
    model: Annotated[str, typer.Option(help="Registered model.")],
    version: Annotated[str, typer.Option(help="Version to try.")],
    *,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Try a version of a model as serving would run it; exit 0 when it can be served, else 1."""
    prepare_process()
    with _output_kept_clean():
        result = probe(ServingSettings(), model, version)
    if json:
        sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
    else:
        words = f"ok, {result.predict_ms} ms per prediction" if result.ok else f"not ok: {result.reason}"
        sys.stdout.write(f"{model} version {version}: {words}\n")
    raise typer.Exit(0 if result.ok else 1)


if __name__ == "__main__":
    typer.run(main)
