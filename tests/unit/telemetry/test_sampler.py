from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from mlplatform.telemetry.sampler import TracesPerSecond, make_sampler


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
        assert sampled(TracesPerSecond(10, Clock()), 100) == 10

    def test_budget_grows_with_time_and_not_beyond_a_second(self) -> None:
        clock = Clock()
        sampler = TracesPerSecond(10, clock)
        sampled(sampler, 100)
        clock.now += 0.5
        assert sampled(sampler, 100) == 5
        clock.now += 3600
        assert sampled(sampler, 100) == 10

    def test_slow_rate_samples_one_now_and_then(self) -> None:
        clock = Clock()
        sampler = TracesPerSecond(0.1, clock)
        assert sampled(sampler, 5) == 1
        clock.now += 10
        assert sampled(sampler, 5) == 1

    def test_none(self) -> None:
        assert sampled(TracesPerSecond(0, Clock()), 100) == 0

    def test_all(self) -> None:
        assert sampled(TracesPerSecond(-1, Clock()), 100) == 100

    def test_polling_loops_use_no_budget(self) -> None:
        sampler = TracesPerSecond(10, Clock())
        assert sampled(sampler, 100, SpanKind.CLIENT) == 0
        assert sampled(sampler, 100) == 10


class TestParent:
    def test_sampled_caller_is_followed_beyond_the_budget(self) -> None:
        tracer = TracerProvider(sampler=make_sampler(0), shutdown_on_exit=False).get_tracer("test")
        assert tracer.start_span("request", context=remote(flags=1)).is_recording()

    def test_unsampled_caller_is_followed_too(self) -> None:
        tracer = TracerProvider(sampler=make_sampler(-1), shutdown_on_exit=False).get_tracer("test")
        assert not tracer.start_span("request", context=remote(flags=0)).is_recording()
