"""Logs, metrics and traces."""

from mlplatform.telemetry.logs import configure_logs
from mlplatform.telemetry.tracing import flush_traces, start_tracing

__all__ = ["configure_logs", "flush_traces", "start_tracing"]
