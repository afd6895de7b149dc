"""The trace that a row belongs to."""

from opentelemetry import trace


def current_trace_id() -> str | None:
    """Give the id of the current trace, hex; None outside of one."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
