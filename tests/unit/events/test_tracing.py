import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from mlplatform.events import CloudEvent, ItemRef, ReindexRequest, tracing

ITEM = ItemRef(entity_type="note", entity_id="1", content_sha256="0" * 64)
ONE, OTHER = "1" * 32, "2" * 32


def event(trace: str | None = None, span: str = "a" * 16) -> CloudEvent:
    made = CloudEvent.of(ReindexRequest(tenant="acme", items=[ITEM]), source="search")
    return made if trace is None else made.model_copy(update={"traceparent": f"00-{trace}-{span}-01"})


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("test"))
    return exporter


def handled(spans: InMemorySpanExporter, events: list[CloudEvent]) -> ReadableSpan:
    with tracing.consumer_span("stream", "group", events):
        pass
    (span,) = spans.get_finished_spans()
    assert span.kind is SpanKind.CONSUMER
    return span


class TestConsumerSpan:
    def test_continues_the_trace_of_its_event(self, spans: InMemorySpanExporter) -> None:
        made = event(ONE)
        span = handled(spans, [made])
        assert span.parent is not None
        assert f"{span.parent.trace_id:032x}" == ONE
        assert span.attributes is not None
        assert span.attributes["messaging.message.id"] == made.id

    def test_continues_the_one_trace_of_several_events(self, spans: InMemorySpanExporter) -> None:
        span = handled(spans, [event(ONE), event(ONE, "b" * 16)])
        assert f"{span.context.trace_id:032x}" == ONE
        assert len(span.links) == 2

    def test_links_events_of_several_traces(self, spans: InMemorySpanExporter) -> None:
        span = handled(spans, [event(ONE), event(OTHER, "b" * 16)])
        assert span.parent is None
        assert {f"{link.context.trace_id:032x}" for link in span.links} == {ONE, OTHER}

    def test_starts_a_trace_for_an_event_without_one(self, spans: InMemorySpanExporter) -> None:
        span = handled(spans, [event()])
        assert span.parent is None
        assert not span.links
