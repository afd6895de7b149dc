"""What serving adds to a trace."""

from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace

from services.model_serving.engine.loaded_model import ModelIdentity

tracer = trace.get_tracer(__name__)


def model_span(name: str, identity: ModelIdentity) -> AbstractContextManager[object]:
    """Open a span of work with a version, only within a trace that is kept; the others would pay for nothing.

    Args:
        name: of the span.
        identity: of the version.
    """
    if not trace.get_current_span().is_recording():
        return nullcontext()
    attributes = {"ml.model": identity.name, "ml.version": identity.version}
    return tracer.start_as_current_span(name, attributes=attributes)
