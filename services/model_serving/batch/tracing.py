"""Carrying the trace of a request to the workers, by the job and by Celery's messages."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()
TRACEPARENT = "traceparent"

tracer = trace.get_tracer(__name__)


def current_traceparent() -> str | None:
    """Return the header that names the present span; None outside of one."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT)


def context_of(traceparent: str | None) -> Context:
    """Return the context that a header names; an empty one for None or for what is no such header."""
    return PROPAGATOR.extract({} if traceparent is None else {TRACEPARENT: traceparent}, Context())


@contextmanager
def worker_span(name: str, traceparent: str | None, attributes: Mapping[str, str | int]) -> Iterator[Span]:
    """Open the span of work that a request asked for, in the trace of that request."""
    with tracer.start_as_current_span(
        name, context=context_of(traceparent), kind=SpanKind.CONSUMER, attributes=dict(attributes)
    ) as span:
        yield span
