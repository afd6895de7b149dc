"""How long the steps of a query take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from mlplatform.telemetry import start_span
from services.search import metrics

tracer = trace.get_tracer(__name__)
NO_ATTRIBUTES: dict[str, int | str] = {}


class Steps:
    """The times of one query's steps, those of a step that is done twice together.

    Steps that run side by side are counted in full each.

    Attributes:
        milliseconds: By step.
    """

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step, as a metric and as a span too."""
        started = time.perf_counter()
        try:
            with start_span(tracer, f"search.{name}", NO_ATTRIBUTES):
                yield
        finally:
            seconds = time.perf_counter() - started
            self.milliseconds[name] = round(self.milliseconds.get(name, 0.0) + seconds * 1000, 3)
            metrics.STEP_SECONDS.labels(name).observe(seconds)
