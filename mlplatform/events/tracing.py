"""Carrying a trace across a stream."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mlplatform.events.cloud_event import CloudEvent

tracer = trace.get_tracer(__name__)


@contextmanager
def consumer_span(stream: str, group: str, events: Sequence[CloudEvent]) -> Iterator[Span]:
    """Open the span of one call of a handler.

    Events of one trace continue it. Events of several traces cannot have one parent, so the span starts a trace of its
    own with a link to each (https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).
    """
    origins = {origin.span_id: origin for event in events if (origin := _origin(event)).is_valid}
    one_trace = len({origin.trace_id for origin in origins.values()}) == 1
    parent = trace.NonRecordingSpan(next(iter(origins.values()))) if one_trace else trace.INVALID_SPAN
    attributes: dict[str, str | int] = {
        "messaging.system": "redis",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": stream,
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(events),
    }
    if len(events) == 1:
        attributes["messaging.message.id"] = events[0].id
    with tracer.start_as_current_span(
        f"process {stream}",
        context=trace.set_span_in_context(parent),
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        links=[Link(origin) for origin in origins.values()],
    ) as span:
        yield span


def _origin(event: CloudEvent) -> SpanContext:
    named = (("traceparent", event.traceparent), ("tracestate", event.tracestate))
    carrier = {name: value for name, value in named if value is not None}
    return trace.get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
