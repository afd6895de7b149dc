"""Trying a version: load it, score its input example as serving would, and compare with what MLflow gives."""

import asyncio
import resource
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from mlplatform.registry.registry import Registry
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.engine.plain import render, to_plain
from services.model_serving.errors import LoadError, UnsafeModelError, reason
from services.model_serving.loading.background import attempt
from services.model_serving.loading.comparison import first_difference
from services.model_serving.loading.image_pipelines import call_blank, refuse_rows
from services.model_serving.loading.loader import make_loader
from services.model_serving.settings import ServingSettings

TIMED_PREDICTIONS = 50
FEWEST_PREDICTIONS = 5
TIMED_SECONDS = 2.0
"""A slow model is timed less often."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found.

    Attributes:
        ok: whether the version can be served.
        load_seconds: from its folder on disk to the first prediction.
        predict_ms: median time to score the input example.
        latencies_ms: each of those times, as they came.
        rss_bytes: most memory that the process held with the version loaded once.
        unsafe: whether the serialization policy refused it.
        reason: why not, when it is not ok.
    """

    ok: bool
    load_seconds: float | None
    predict_ms: float | None
    latencies_ms: tuple[float, ...]
    rss_bytes: int
    unsafe: bool
    reason: str | None


def try_version(settings: ServingSettings, name: str, version: str) -> Trial:
    """Try a version in this process."""
    with ThreadPoolExecutor(1) as executor:
        outcome = asyncio.run(attempt(executor, lambda: _measure(settings, name, version)))
    if isinstance(outcome, BaseException):
        unsafe = isinstance(outcome, UnsafeModelError)
        return Trial(
            ok=False,
            load_seconds=None,
            predict_ms=None,
            latencies_ms=(),
            rss_bytes=_memory(),
            unsafe=unsafe,
            reason=reason(outcome),
        )
    return outcome


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT


def _measure(settings: ServingSettings, name: str, version: str) -> Trial:
    registry = Registry(settings.mlflow_url)
    loader = make_loader(registry, settings)
    model = loader.load(registry.get_version(name, version))
    if model.pipeline is not None and model.predict is refuse_rows:
        return _measure_files(model, model.pipeline)
    example = model.example
    if example is None:
        raise LoadError("The model was logged without an input example. Pass input_example= to log_model.")
    durations: list[float] = []
    began = time.perf_counter()
    while len(durations) < TIMED_PREDICTIONS:
        started = time.perf_counter()
        if started - began > TIMED_SECONDS and len(durations) >= FEWEST_PREDICTIONS:
            break
        served = orjson.loads(render(model.score(example.inputs, example.params)))
        durations.append(time.perf_counter() - started)
    memory = _memory()
    reference = loader.load_reference(model)
    expected = orjson.loads(render(to_plain(reference.predict(reference.input_example, example.params or None))))
    if difference := first_difference(served, expected):
        raise LoadError(f"Serving and mlflow.pyfunc answer the input example differently, first at {difference}.")
    latencies = tuple(round(seconds * 1000, 3) for seconds in durations)
    median = round(statistics.median(latencies), 3)
    return Trial(
        ok=True,
        load_seconds=round(model.report.seconds, 3),
        predict_ms=median,
        latencies_ms=latencies,
        rss_bytes=memory,
        unsafe=False,
        reason=None,
    )


def _measure_files(model: LoadedModel, pipeline: object) -> Trial:
    """Time a model that takes files with an image; MLflow calls it in no way that could be compared."""
    durations = []
    for _ in range(FEWEST_PREDICTIONS):
        started = time.perf_counter()
        call_blank(pipeline)
        durations.append(time.perf_counter() - started)
    latencies = tuple(round(seconds * 1000, 3) for seconds in durations)
    return Trial(
        ok=True,
        load_seconds=round(model.report.seconds, 3),
        predict_ms=round(statistics.median(latencies), 3),
        latencies_ms=latencies,
        rss_bytes=_memory(),
        unsafe=False,
        reason=None,
    )
