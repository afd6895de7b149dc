"""Logs, metrics and traces."""

from mlplatform.telemetry.logs import configure_logs
from mlplatform.telemetry.request_span import RequestSpans, start_span, tell_unkept, unless_kept
from mlplatform.telemetry.tracing import flush_traces, request_spans, start_tracing

__all__ = [
    "RequestSpans",
    "configure_logs",
    "flush_traces",
    "request_spans",
    "start_span",
    "start_tracing",
    "tell_unkept",
    "unless_kept",
]
