"""How long the steps of a query take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from services.search import metrics

tracer = trace.get_tracer(__name__)


class Steps:
    """The times of one query's steps; those that run side by side are counted in full each.

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
            with tracer.start_as_current_span(f"search.{name}"):
                yield
        finally:
            seconds = time.perf_counter() - started
            self.milliseconds[name] = round(seconds * 1000, 3)
            metrics.STEP_SECONDS.labels(name).observe(seconds)
