import pytest
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mlplatform.telemetry import RequestSpans, start_span
from mlplatform.telemetry.sampler import UNLIMITED, CallersFirst


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def serve(exporter: InMemorySpanExporter, kept: float, *, request: bool = True) -> list[tuple[str, object]]:
    """Do some work in a request, or beside one, and return the spans that were kept."""
    sampler = CallersFirst(kept, 1, kept)
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    root, context = RequestSpans(tracer, sampler).start("POST /", {}, {}) if request else (None, Context())
    token = contexts.attach(context)
    try:
        with start_span(tracer, "work", {"texts": 1}) as span:
            span.set_attribute("tokens", 2)
            assert trace.get_current_span() is span or not span.is_recording()
    finally:
        contexts.detach(token)
        if root is not None:
            root.end()
    return [(span.name, dict(span.attributes)) for span in exporter.get_finished_spans()]


class TestStartSpan:
    def test_a_trace_that_is_kept_has_the_work_of_its_request(self, exporter):
        assert serve(exporter, UNLIMITED) == [("work", {"texts": 1, "tokens": 2}), ("POST /", {})]

    def test_a_trace_that_is_not_kept_has_nothing(self, exporter):
        assert serve(exporter, 0) == []

    def test_work_beside_requests_begins_a_trace(self, exporter):
        assert serve(exporter, UNLIMITED, request=False) == [("work", {"texts": 1, "tokens": 2})]
