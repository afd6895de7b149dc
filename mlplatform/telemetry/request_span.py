"""The span of a request, which costs next to nothing when its trace is not kept.

Starting a span that is not kept takes the SDK a tenth of what a small prediction takes in all. So the sampler is asked
first; a request whose trace is not kept runs in a context that says so, in which nothing starts a trace of its own.
"""

from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from secrets import token_hex

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.propagate import extract
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Span, SpanContext, SpanKind

from mlplatform.telemetry.sampler import DROPPED, KEPT, CallersFirst

PARENT = b"traceparent"

_NOT_KEPT = contexts.set_value(DROPPED, True, Context())
_KEPT = contexts.set_value(KEPT, True, Context())


def start_span(tracer: trace.Tracer, name: str, attributes: Mapping[str, int | str]) -> AbstractContextManager[Span]:
    """Return what makes a span the current one, at no cost where the trace of the request is not kept.

    Args:
        tracer: Of the module that does the work.
        name: Of the work.
        attributes: Of the span.
    """
    if contexts.get_value(DROPPED):
        return nullcontext(INVALID_SPAN)
    return tracer.start_as_current_span(name, attributes=attributes)


def unless_kept() -> AbstractContextManager[None]:
    """Return what keeps a library's instrumentation from starting spans where the trace of the request is not kept."""
    return suppress_instrumentation() if contexts.get_value(DROPPED) else nullcontext()


def tell_unkept(headers: MutableMapping[str, str]) -> None:
    """Tell the service that is called where the trace of the request is not kept, or it would begin one of its own.

    Args:
        headers: Of the call. With `unless_kept`, nothing else writes the trace into them.
    """
    if contexts.get_value(DROPPED):
        headers[PARENT.decode()] = f"00-{token_hex(16)}-{token_hex(8)}-00"


class RequestSpans:
    """Starts the spans of requests.

    Args:
        tracer: Of the module that serves them.
        sampler: Decides which are kept; None when this process keeps no traces.
    """

    def __init__(self, tracer: trace.Tracer, sampler: CallersFirst | None) -> None:
        self._tracer = tracer
        self._sampler = sampler

    def start(self, name: str, fields: Mapping[bytes, bytes], attributes: Mapping[str, str]) -> tuple[Span, Context]:
        """Start the span of a request.

        Args:
            name: Method and route.
            fields: Headers of the request, in lower case.
            attributes: Of the span.

        Returns:
            The span, which records nothing when the trace is not kept, and the context to serve the request in.
        """
        value = fields.get(PARENT)
        if value is not None:
            caller = extract({PARENT.decode(): value.decode("latin-1")})
            if trace.get_current_span(caller).get_span_context().is_valid:
                return self._follow(name, caller, attributes)
        if self._sampler is not None and self._sampler.traces.take():
            parent = _KEPT
        else:
            return INVALID_SPAN, _NOT_KEPT
        return self._begin(name, parent, attributes)

    def _follow(self, name: str, parent: Context, attributes: Mapping[str, str]) -> tuple[Span, Context]:
        """Continue a caller's trace; beyond the budget under its id only, as one that is not sampled."""
        caller = trace.get_current_span(parent).get_span_context()
        if not caller.trace_flags.sampled:
            return INVALID_SPAN, parent
        if self._sampler is None or self._sampler.followed.take():
            return self._begin(name, contexts.set_value(KEPT, True, parent), attributes)
        unkept = SpanContext(caller.trace_id, caller.span_id, is_remote=True, trace_state=caller.trace_state)
        return INVALID_SPAN, trace.set_span_in_context(NonRecordingSpan(unkept), parent)

    def _begin(self, name: str, parent: Context, attributes: Mapping[str, str]) -> tuple[Span, Context]:
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        return span, trace.set_span_in_context(span, parent)
