"""Which traces are kept: bounded numbers of those that a caller keeps and of those that begin here.

Anybody can send a `traceparent` that says "sampled", before it is known who calls. So what it says is a wish: within a
budget it is granted, beyond that the trace goes on under the caller's id and is not recorded. The budget is one of its
own, so that neither kind of trace uses up that of the other.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic

from opentelemetry.context import Context, create_key, get_value
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

UNLIMITED = -1
KEPT = create_key("ml-trace-kept")
"""In a context in which a trace begins that was decided to be kept."""
DROPPED = create_key("ml-trace-dropped")
"""In a context whose trace was decided not to be kept: nothing in it begins another one."""


class TracesPerSecond(Sampler):
    """Samples root spans from a bucket: all of the first ones, and after them as many as the rate allows.

    Whoever tries a service finds each of their requests, and a service under load spends next to nothing on traces.

    A trace begins with a request, an event or a job. A root span of kind CLIENT is a background loop that polls a
    store; it is dropped, else such loops would use up the budget.

    Args:
        rate: Traces per second; 0 samples none, -1 all.
        burst: Traces that the bucket holds; at least one second's worth, and one.
        clock: Seconds, never going back.
    """

    def __init__(self, rate: float, burst: float = 1.0, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate, burst) if rate > 0 else 0.0
        self._tokens = self._capacity
        self._clock = clock
        self._filled = clock()
        self._lock = Lock()

    def should_sample(  # noqa: PLR0917 - the signature is the SDK's
        self,
        parent_context: Context | None,
        trace_id: int,  # noqa: ARG002 - the signature is the SDK's
        name: str,  # noqa: ARG002 - the signature is the SDK's
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 - the signature is the SDK's
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Take a token, or drop the trace."""
        if get_value(KEPT, parent_context):
            sampled = True
        else:
            sampled = kind is not SpanKind.CLIENT and not get_value(DROPPED, parent_context) and self.take()
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP
        return SamplingResult(decision, attributes if sampled else None, trace_state)

    def get_description(self) -> str:
        """Name the sampler in the SDK's own way."""
        return f"TracesPerSecond{{{self._rate}}}"

    def take(self) -> bool:
        """Decide whether to keep a new trace."""
        if self._rate == UNLIMITED:
            return True
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class CallersFirst(ParentBased):
    """Follows the caller's decision within a bound, and bounds the traces that start here.

    Args:
        traces_per_second: Most new traces; -1 is without limit.
        burst: New traces that may begin at once after a quiet time.
        followed_per_second: Most spans that continue a trace of a sampled caller; -1 is without limit.

    Attributes:
        traces: Decides on the new ones.
        followed: Decides on those of sampled callers.
    """

    def __init__(self, traces_per_second: float, burst: float, followed_per_second: float) -> None:
        self.traces = TracesPerSecond(traces_per_second, burst)
        self.followed = TracesPerSecond(followed_per_second)
        super().__init__(self.traces, remote_parent_sampled=self.followed)
