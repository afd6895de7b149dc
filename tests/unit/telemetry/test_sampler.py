from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mlplatform.telemetry import RequestSpans
from mlplatform.telemetry.sampler import CallersFirst, TracesPerSecond

SAMPLED = {b"traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sampled(sampler: TracesPerSecond, count: int, kind: SpanKind = SpanKind.SERVER) -> int:
    results = [sampler.should_sample(None, number, "span", kind) for number in range(count)]
    return sum(result.decision.is_sampled() for result in results)


def remote(flags: int) -> trace.Context:
    context = SpanContext(trace_id=1, span_id=1, is_remote=True, trace_flags=TraceFlags(flags))
    return trace.set_span_in_context(NonRecordingSpan(context))


class TestRootSpans:
    def test_at_most_the_rate_in_one_second(self) -> None:
        assert sampled(TracesPerSecond(10, clock=Clock()), 100) == 10

    def test_budget_grows_with_time_and_not_beyond_a_second(self) -> None:
        clock = Clock()
        sampler = TracesPerSecond(10, clock=clock)
        sampled(sampler, 100)
        clock.now += 0.5
        assert sampled(sampler, 100) == 5
        clock.now += 3600
        assert sampled(sampler, 100) == 10

    def test_slow_rate_samples_one_now_and_then(self) -> None:
        clock = Clock()
        sampler = TracesPerSecond(0.1, clock=clock)
        assert sampled(sampler, 5) == 1
        clock.now += 10
        assert sampled(sampler, 5) == 1

    def test_the_first_are_all_sampled_and_again_after_a_quiet_time(self) -> None:
        clock = Clock()
        sampler = TracesPerSecond(0.2, 20, clock)
        assert sampled(sampler, 100) == 20
        clock.now += 10
        assert sampled(sampler, 100) == 2
        clock.now += 100
        assert sampled(sampler, 100) == 20

    def test_none(self) -> None:
        assert sampled(TracesPerSecond(0, 20, Clock()), 100) == 0

    def test_all(self) -> None:
        assert sampled(TracesPerSecond(-1, clock=Clock()), 100) == 100

    def test_polling_loops_use_no_budget(self) -> None:
        sampler = TracesPerSecond(10, clock=Clock())
        assert sampled(sampler, 100, SpanKind.CLIENT) == 0
        assert sampled(sampler, 100) == 10


class TestParent:
    def test_sampled_caller_is_followed_when_no_traces_start_here(self) -> None:
        tracer = TracerProvider(sampler=CallersFirst(0, 1, 1), shutdown_on_exit=False).get_tracer("test")
        assert tracer.start_span("request", context=remote(flags=1)).is_recording()

    def test_sampled_callers_are_followed_within_a_budget_of_their_own(self) -> None:
        tracer = TracerProvider(sampler=CallersFirst(1, 1, 2), shutdown_on_exit=False).get_tracer("test")
        spans = [tracer.start_span("request", context=remote(flags=1)) for _ in range(5)]
        assert [span.is_recording() for span in spans] == [True, True, False, False, False]
        assert {span.get_span_context().trace_id for span in spans} == {1}
        assert tracer.start_span("request").is_recording()

    def test_spans_inside_of_one_that_is_followed_use_no_budget(self) -> None:
        tracer = TracerProvider(sampler=CallersFirst(0, 1, 1), shutdown_on_exit=False).get_tracer("test")
        with tracer.start_as_current_span("request", context=remote(flags=1)):
            assert all(tracer.start_span("inside", kind=SpanKind.CLIENT).is_recording() for _ in range(5))

    def test_unsampled_caller_is_followed_too(self) -> None:
        tracer = TracerProvider(sampler=CallersFirst(-1, 1, -1), shutdown_on_exit=False).get_tracer("test")
        assert not tracer.start_span("request", context=remote(flags=0)).is_recording()


class TestRequests:
    @staticmethod
    def spans(rate: float, followed: float = 1) -> RequestSpans:
        provider = TracerProvider(sampler=CallersFirst(rate, 1, followed), shutdown_on_exit=False)
        return RequestSpans(provider.get_tracer("test"), provider.sampler)

    def test_a_kept_one_is_kept_once(self) -> None:
        spans = self.spans(1)
        first, _ = spans.start("POST /x", {}, {})
        second, _ = spans.start("POST /x", {}, {})
        assert (first.is_recording(), second.is_recording()) == (True, False)

    def test_nothing_within_one_that_is_not_kept_begins_a_trace(self) -> None:
        tracer = TracerProvider(sampler=CallersFirst(-1, 1, -1), shutdown_on_exit=False).get_tracer("test")
        _, context = RequestSpans(tracer, CallersFirst(0, 1, 0)).start("POST /x", {}, {})
        assert tracer.start_span("outside").is_recording()
        assert not tracer.start_span("inside", context).is_recording()

    def test_a_sampled_caller_is_followed(self) -> None:
        span, context = self.spans(0).start("POST /x", SAMPLED, {})
        assert span.is_recording()
        assert trace.get_current_span(context) is span
        assert trace.format_trace_id(span.get_span_context().trace_id) == "0af7651916cd43dd8448eb211c80319c"

    def test_beyond_the_budget_the_trace_goes_on_without_being_recorded(self) -> None:
        provider = TracerProvider(sampler=CallersFirst(-1, 1, 1), shutdown_on_exit=False)
        spans = RequestSpans(tracer := provider.get_tracer("test"), provider.sampler)
        spans.start("POST /x", SAMPLED, {})
        span, context = spans.start("POST /x", SAMPLED, {})
        assert not span.is_recording()
        assert not tracer.start_span("inside", context).is_recording()
        handed_on: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(handed_on, context)
        assert handed_on["traceparent"] == SAMPLED[b"traceparent"].decode().removesuffix("01") + "00"

    def test_what_is_no_parent_begins_a_trace_of_its_own(self) -> None:
        span, _ = self.spans(1, followed=0).start("POST /x", {b"traceparent": b"00-odd-01"}, {})
        assert span.is_recording()

    def test_without_a_provider_nothing_is_kept(self) -> None:
        span, _ = RequestSpans(trace.get_tracer("test"), None).start("POST /x", {}, {})
        assert not span.is_recording()
