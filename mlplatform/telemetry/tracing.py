"""Spans of this process, sent over OTLP."""

import atexit
import os
from importlib.metadata import version
from threading import Thread
from uuid import uuid4

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mlplatform.settings import PlatformSettings
from mlplatform.settings.parsing import parse_headers
from mlplatform.telemetry.request_span import RequestSpans
from mlplatform.telemetry.sampler import CallersFirst

EXPORT_SECONDS = 5
FLUSH_SECONDS = 2
BATCH_INTERVAL_MS = 500


class ServiceName(SpanProcessor):
    """Names the service on the first span that it adds to a trace: MLflow drops the resource, which has the name."""

    def __init__(self, service: str) -> None:
        self._service = service

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Mark a span whose parent is not of this process."""
        parent = trace.get_current_span(parent_context).get_span_context()
        if not parent.is_valid or parent.is_remote:
            span.set_attribute("service.name", self._service)


def make_provider(settings: PlatformSettings, service: str) -> TracerProvider | None:
    """Build what makes and sends spans, without installing it.

    Returns:
        None when `ML_OTLP_ENDPOINT` is unset: then no span is made at all.
    """
    if settings.otlp_endpoint is None:
        return None
    resource = Resource.create(
        {
            "service.name": service,
            "service.namespace": "ml-platform",
            "service.version": version("ml-platform"),
            "service.instance.id": uuid4().hex,
            "deployment.environment.name": settings.env.value,
        }
    )
    exporter = OTLPSpanExporter(
        settings.otlp_endpoint,
        headers=parse_headers(settings.otlp_headers.get_secret_value()),
        timeout=EXPORT_SECONDS,
        compression=Compression.Gzip,
    )
    provider = TracerProvider(
        sampler=CallersFirst(settings.traces_per_second, settings.traces_burst, settings.followed_traces_per_second),
        resource=resource,
        shutdown_on_exit=False,
    )
    provider.add_span_processor(ServiceName(service))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=BATCH_INTERVAL_MS))
    return provider


def start_tracing(settings: PlatformSettings, service: str) -> None:
    """Make this process trace itself and its calls to HTTP, Postgres and Redis.

    A process is one service, and OpenTelemetry takes one provider for its life: the first call decides, later ones do
    nothing.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = make_provider(settings, service)
    if provider is None:
        return
    trace.set_tracer_provider(provider)
    # Only the trace context: baggage of a caller would travel on to every other service.
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    # The stable names of attributes (db.system.name, http.request.method) are behind this switch.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    for instrumentor in (HTTPXClientInstrumentor(), PsycopgInstrumentor(), RedisInstrumentor()):
        instrumentor.instrument()
    atexit.register(flush_traces)


def request_spans(name: str) -> RequestSpans:
    """Return what starts the spans of requests, with the sampler of this process.

    Args:
        name: Module that serves them.
    """
    sampler = getattr(trace.get_tracer_provider(), "sampler", None)
    return RequestSpans(trace.get_tracer(name), sampler if isinstance(sampler, CallersFirst) else None)


def flush_traces() -> None:
    """Send the spans that wait, for two seconds at most: a trace store that is down must not hold a process back."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        return
    sender = Thread(target=provider.force_flush, name="flush-traces", daemon=True)
    sender.start()
    sender.join(FLUSH_SECONDS)
