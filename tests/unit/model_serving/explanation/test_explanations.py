"""The bounds of explaining: how much at once, for how long, and never at the cost of a prediction."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import Tracer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from mlplatform.errors import DeadlineExceeded, Overloaded, PlatformError
from services.model_serving import spans
from services.model_serving.engine.engine import Engine
from services.model_serving.errors import InvalidInputs, ModelFailedError, NotExplainable
from services.model_serving.explanation.explanations import ExplanationLimits, Explanations
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.explanation.data import NUMBERS, ROWS, TARGET, loaded

LIMITS = ExplanationLimits(rows=5, columns=10, threads=1, queue_size=1, timeout=timedelta(seconds=30))
GIVEN = ModelInput(ROWS, len(ROWS))
TracerOf = Callable[[Sampler], Tracer]
TREE = DecisionTreeRegressor(max_depth=3).fit(NUMBERS, TARGET)


class Slow(LinearRegression):
    """A model that scores when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go, self.thread = threading.Event(), threading.Event(), ""

    def predict(self, rows: Any) -> Any:
        self.thread = threading.current_thread().name
        self.asked.set()
        assert self.go.wait(30)
        return super().predict(rows)


Slow.__module__ = LinearRegression.__module__


@pytest.fixture
def slow() -> Slow:
    return Slow().fit(NUMBERS, TARGET)


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Explanations]]:
    made: list[Explanations] = []

    def make(**limits: Any) -> Explanations:
        made.append(Explanations(replace(LIMITS, **limits), lambda *_: None))
        return made[-1]

    yield make
    for explanations in made:
        await explanations.close()


def message_of(error: PlatformError) -> tuple[str, str]:
    [field] = error.errors
    return field.field, field.message


class TestLimits:
    async def test_up_to_the_limits(self, make: Callable[..., Explanations]) -> None:
        explanation = await make().explain(loaded(TREE), GIVEN)
        assert explanation.contributions.shape == (5, 4, 1)

    async def test_rows(self, make: Callable[..., Explanations]) -> None:
        for rows, message in (
            (NUMBERS[:6], "has 6 rows; at most 5 are explained at once"),
            (NUMBERS[:0], "has no rows; there is nothing to explain"),
        ):
            with pytest.raises(InvalidInputs) as refused:
                await make().explain(loaded(TREE), ModelInput(rows, len(rows)))
            assert message_of(refused.value) == ("body.inputs", message)

    async def test_columns(self, make: Callable[..., Explanations]) -> None:
        with pytest.raises(InvalidInputs) as refused:
            await make(columns=3).explain(loaded(TREE), GIVEN)
        assert message_of(refused.value) == ("body.inputs", "has 4 columns; at most 3 are explained at once")

    async def test_columns_count_for_each_class(self, make: Callable[..., Explanations]) -> None:
        forest = RandomForestRegressor(2).fit(NUMBERS, np.stack([TARGET] * 3, axis=1))
        with pytest.raises(InvalidInputs) as refused:
            await make().explain(loaded(forest), GIVEN)
        assert message_of(refused.value)[1] == "has 4 columns for each of 3 outputs; at most 10 are explained at once"

    async def test_a_full_queue(self, make: Callable[..., Explanations], slow: Slow) -> None:
        explanations, model = make(), loaded(slow)
        waiting = [asyncio.create_task(explanations.explain(model, GIVEN)) for _ in range(2)]
        await asyncio.to_thread(slow.asked.wait, 30)
        with pytest.raises(Overloaded) as refused:
            await explanations.explain(model, GIVEN)
        assert refused.value.headers["Retry-After"]
        slow.go.set()
        await asyncio.gather(*waiting)
        await explanations.explain(model, GIVEN)

    async def test_a_deadline(self, make: Callable[..., Explanations], slow: Slow) -> None:
        explanations, model = make(timeout=timedelta(milliseconds=50)), loaded(slow)
        for _ in range(2):  # the first in its work, the second in the queue
            with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
                await explanations.explain(model, GIVEN)
        slow.go.set()

    async def test_work_ends_at_the_deadline(self, make: Callable[..., Explanations]) -> None:
        forest = loaded(RandomForestRegressor(50).fit(NUMBERS, TARGET))
        with pytest.raises(DeadlineExceeded):
            await make(timeout=timedelta(microseconds=1)).explain(forest, GIVEN)


class TestPredictions:
    async def test_go_on_while_the_queue_is_full(self, make: Callable[..., Explanations], slow: Slow) -> None:
        explanations, slow_model, model = make(), loaded(slow), loaded(TREE)
        engine = Engine(threads=1, queue_size=1, timeout=timedelta(seconds=30))
        waiting = [asyncio.create_task(explanations.explain(slow_model, GIVEN)) for _ in range(2)]
        await asyncio.to_thread(slow.asked.wait, 30)
        with pytest.raises(Overloaded):
            await explanations.explain(model, GIVEN)
        for _ in range(10):
            prediction = await engine.predict(model, GIVEN, None)
            np.testing.assert_array_equal(prediction.answer, TREE.predict(ROWS))
        slow.go.set()
        await asyncio.gather(*waiting)
        await engine.close()

    async def test_have_other_threads(self, make: Callable[..., Explanations], slow: Slow) -> None:
        slow.go.set()
        engine = Engine(threads=1, queue_size=1, timeout=timedelta(seconds=30))
        model = loaded(slow)
        await engine.predict(model, GIVEN, None)
        predicting = slow.thread
        await make().explain(model, GIVEN)
        assert (predicting.split("_")[0], slow.thread.split("_")[0]) == ("predict", "explain")
        await engine.close()


class TestModels:
    async def test_of_no_known_kind(self, make: Callable[..., Explanations]) -> None:
        with pytest.raises(NotExplainable, match="LightGBM"):
            await make().explain(loaded(None), GIVEN)

    async def test_that_take_no_table(self, make: Callable[..., Explanations]) -> None:
        with pytest.raises(NotExplainable, match="does not take a table"):
            await make().explain(loaded(TREE), ModelInput([1, 2], 2))

    async def test_that_break(self, make: Callable[..., Explanations]) -> None:
        broken = RandomForestRegressor(2).fit(NUMBERS, TARGET)
        broken.estimators_ = [None, None]
        with pytest.raises(ModelFailedError):
            await make().explain(loaded(broken), GIVEN)

    async def test_stay_while_they_are_explained_and_go_afterwards(
        self, make: Callable[..., Explanations], slow: Slow
    ) -> None:
        explanations, model = make(), loaded(slow)
        work = asyncio.create_task(explanations.explain(model, GIVEN))
        await asyncio.to_thread(slow.asked.wait, 30)
        unused = asyncio.create_task(model.unused())
        await asyncio.sleep(0)
        assert not unused.done()
        slow.go.set()
        await work
        await unused
        gone = weakref.ref(model)
        del model, unused, work
        async with asyncio.timeout(30):
            while gone() is not None:
                await asyncio.sleep(0)
                gc.collect()


class TestSpans:
    """What a trace tells of an explanation."""

    @pytest.fixture
    def exporter(self) -> InMemorySpanExporter:
        return InMemorySpanExporter()

    @pytest.fixture
    def tracer_of(self, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> TracerOf:
        def make(sampler: Sampler) -> Tracer:
            provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
            provider.add_span_processor(SimpleSpanProcessor(exporter))
            monkeypatch.setattr(spans, "tracer", provider.get_tracer("serving"))
            return provider.get_tracer("caller")

        return make

    async def test_one_within_a_trace_that_is_kept(
        self, make: Callable[..., Explanations], tracer_of: TracerOf, exporter: InMemorySpanExporter
    ) -> None:
        with tracer_of(ALWAYS_ON).start_as_current_span("request") as request:
            await make().explain(loaded(TREE), GIVEN)
        explain, _ = exporter.get_finished_spans()
        assert explain.name == "explain"
        assert explain.attributes == {"ml.model": "model", "ml.version": "1"}
        assert explain.parent is not None
        assert explain.parent.span_id == request.get_span_context().span_id

    async def test_one_that_failed_says_so(
        self, make: Callable[..., Explanations], tracer_of: TracerOf, exporter: InMemorySpanExporter
    ) -> None:
        forest = loaded(RandomForestRegressor(50).fit(NUMBERS, TARGET))
        with tracer_of(ALWAYS_ON).start_as_current_span("request"), pytest.raises(DeadlineExceeded):
            await make(timeout=timedelta(microseconds=1)).explain(forest, GIVEN)
        explain, _ = exporter.get_finished_spans()
        assert not explain.status.is_ok

    async def test_none_within_one_that_is_not_kept_nor_without_one(
        self, make: Callable[..., Explanations], tracer_of: TracerOf, exporter: InMemorySpanExporter
    ) -> None:
        dropping, _ = tracer_of(ALWAYS_OFF), tracer_of(ALWAYS_ON)
        with dropping.start_as_current_span("request"):
            await make().explain(loaded(TREE), GIVEN)
        await make().explain(loaded(TREE), GIVEN)
        assert exporter.get_finished_spans() == ()
