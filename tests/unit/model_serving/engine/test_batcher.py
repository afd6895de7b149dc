"""Callers that share a call of a model."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from mlplatform.errors import Overloaded
from services.model_serving.engine.batcher import Batcher
from services.model_serving.engine.engine import Engine
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InputsRefused
from services.model_serving.signature import ModelInput
from tests.unit.model_serving.doubles import model_of


class Recorder:
    """A row-wise model that doubles `x`, remembers its calls, refuses 13 and can be held up."""

    def __init__(self, *, row_wise: bool = True) -> None:
        self.calls: list[list[float]] = []
        self.open = threading.Event()
        self.open.set()
        self.model = model_of(self._predict, row_wise=row_wise, max_rows=1000)

    def _predict(self, given: ModelInput, *_: Any) -> Any:
        assert self.open.wait(60)
        column = given.data["x"].to_numpy()
        self.calls.append(column.tolist())
        if 13.0 in column:
            raise ValueError("unlucky")
        return column * 2


@asynccontextmanager
async def engine_of(**options: Any) -> AsyncIterator[Engine]:
    engine = Engine(**{"threads": 1, "queue_size": 1000, "timeout": timedelta(seconds=60), **options})
    yield engine
    await engine.close()


async def ask(engine: Engine, model: LoadedModel, *values: float, params: Any = None) -> list[float]:
    given, _ = model.read([{"x": value} for value in values], {})
    return list((await engine.predict(model, given, params)).answer)


async def hold(engine: Engine, recorder: Recorder) -> "asyncio.Task[list[float]]":
    """Make the model busy with a first call, in its thread, until `open` is set."""
    recorder.open.clear()
    first = asyncio.create_task(ask(engine, recorder.model, 0.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return first


class TestSharing:
    async def test_what_waits_while_the_model_is_busy_is_its_next_batch(self) -> None:
        recorder = Recorder()
        async with engine_of() as engine:
            first = await hold(engine, recorder)
            others = [asyncio.create_task(ask(engine, recorder.model, float(n), n + 0.5)) for n in range(1, 4)]
            await asyncio.sleep(0)
            recorder.open.set()
            assert await first == [0.0]
            assert await asyncio.gather(*others) == [[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]
        assert recorder.calls == [[0.0], [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]]

    async def test_callers_of_one_turn_of_the_loop_share_a_quick_model(self) -> None:
        recorder = Recorder()
        async with engine_of() as engine:
            while len(recorder.calls) < 30:  # until the model is known to be quick, also for several rows
                await asyncio.gather(*(ask(engine, recorder.model, float(n)) for n in range(4)))
            recorder.calls.clear()
            answers = await asyncio.gather(*(ask(engine, recorder.model, float(n)) for n in range(4)))
        assert answers == [[0.0], [2.0], [4.0], [6.0]]
        assert recorder.calls == [[0.0, 1.0, 2.0, 3.0]]

    async def test_a_batch_has_no_more_rows_than_allowed(self) -> None:
        recorder = Recorder()
        async with engine_of(max_batch_rows=4) as engine:
            first = await hold(engine, recorder)
            others = [asyncio.create_task(ask(engine, recorder.model, *[float(n)] * 3)) for n in range(1, 4)]
            await asyncio.sleep(0)
            recorder.open.set()
            await asyncio.gather(first, *others)
        assert [len(call) for call in recorder.calls] == [1, 3, 3, 3]

    @pytest.mark.parametrize("why", ["model", "setting", "params"])
    async def test_nobody_shares_where_it_is_not_allowed(self, why: str) -> None:
        recorder = Recorder(row_wise=why != "model")
        async with engine_of(batching=why != "setting") as engine:
            first = await hold(engine, recorder)
            params = {"k": 1} if why == "params" else None
            others = [asyncio.create_task(ask(engine, recorder.model, 1.0, params=params)) for _ in range(3)]
            await asyncio.sleep(0)
            recorder.open.set()
            await asyncio.gather(first, *others)
        assert [len(call) for call in recorder.calls] == [1, 1, 1, 1]

    async def test_a_caller_who_left_is_not_scored(self) -> None:
        recorder = Recorder()
        async with engine_of() as engine:
            first = await hold(engine, recorder)
            leaving, staying = (asyncio.create_task(ask(engine, recorder.model, value)) for value in (1.0, 2.0))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.sleep(0)
            recorder.open.set()
            assert await first == [0.0]
            assert await staying == [4.0]
            await asyncio.wait_for(recorder.model.unused(), 60)
        assert recorder.calls == [[0.0], [2.0]]


class TestFailures:
    async def test_one_callers_inputs_fail_nobody_else(self) -> None:
        recorder = Recorder()
        values = [float(n) for n in range(1, 17)]
        async with engine_of() as engine:
            first = await hold(engine, recorder)
            tasks = [asyncio.create_task(ask(engine, recorder.model, value)) for value in values]
            await asyncio.sleep(0)
            recorder.open.set()
            answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        by_value = dict(zip(values, answers[1:], strict=True))
        assert isinstance(by_value.pop(13.0), InputsRefused)
        assert by_value == {value: [value * 2] for value in by_value}

    async def test_answers_that_cannot_be_told_apart_are_asked_for_one_by_one(self) -> None:
        model = model_of(lambda given, _: [float(np.sum(given.matrix))], row_wise=True, max_rows=1000)
        async with engine_of() as engine:
            answers = await asyncio.gather(*(ask(engine, model, float(n), 1.0) for n in range(5)))
        assert answers == [[1.0], [2.0], [3.0], [4.0], [5.0]]


class TestOverload:
    async def test_a_quick_model_scores_what_the_queue_cannot_hold_before_it_refuses_any(self) -> None:
        calls: list[int] = []

        def predict(given: ModelInput, *_: Any) -> Any:
            calls.append(given.rows)
            return np.full(given.rows, 7.0)

        model = model_of(predict, row_wise=True, max_rows=1000)
        async with engine_of(queue_size=3) as engine:
            while len(calls) < 30:  # until the model is known to be quick, also for several rows
                await asyncio.gather(*(ask(engine, model, 0.0) for _ in range(4)))
            answers = await asyncio.gather(*(ask(engine, model, 0.0) for _ in range(20)))
        assert answers == [[7.0]] * 20

    async def test_a_slow_model_works_off_its_queue_while_the_loop_is_busy(self) -> None:
        done = threading.Semaphore(0)

        def predict(given: ModelInput, *_: Any) -> Any:
            time.sleep(0.002)  # longer than what the loop does itself
            done.release()
            return np.full(given.rows, 7.0)

        model = model_of(predict, row_wise=False)
        async with engine_of() as engine:
            waiting = [asyncio.create_task(ask(engine, model, 0.0)) for _ in range(5)]
            await asyncio.sleep(0)
            assert all(done.acquire(timeout=60) for _ in range(5))  # and the loop stands still
            assert await asyncio.gather(*waiting) == [[7.0]] * 5

    async def test_a_slot_that_is_slow_to_be_given_back_is_not_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keep_slot = Batcher._keep_slot

        def slowly(batcher: Batcher, *, stay: bool) -> bool:
            time.sleep(0.02)  # the loop goes on meanwhile, and finds no slot free
            return keep_slot(batcher, stay=stay)

        monkeypatch.setattr(Batcher, "_keep_slot", slowly)
        recorder = Recorder()
        async with engine_of() as engine:
            first = await hold(engine, recorder)
            second = asyncio.create_task(ask(engine, recorder.model, 1.0))
            await asyncio.sleep(0)
            recorder.open.set()
            assert await asyncio.wait_for(asyncio.gather(first, second), 30) == [[0.0], [2.0]]

    async def test_a_model_that_fills_the_queue_leaves_room_for_another(self) -> None:
        recorder, other = Recorder(), Recorder()
        async with engine_of(queue_size=4) as engine:
            first = await hold(engine, recorder)
            waiting = [asyncio.create_task(ask(engine, recorder.model, 1.0)) for _ in range(4)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await ask(engine, recorder.model, 2.0)
            beside = asyncio.create_task(ask(engine, other.model, 3.0))
            await asyncio.sleep(0)
            recorder.open.set()
            assert await first == [0.0]
            assert await asyncio.gather(*waiting, beside) == [[2.0]] * 4 + [[6.0]]


class TestDeadlines:
    async def test_the_pace_of_many_slots_is_not_taken_for_more_than_it_is(self) -> None:
        slots, calls = 16, threading.Barrier(16)

        def predict(given: ModelInput, *_: Any) -> Any:
            calls.wait(60)  # all end at the same moment
            time.sleep(0.05)
            return np.full(given.rows, 7.0)

        model = model_of(predict, row_wise=False)
        async with engine_of(threads=slots) as engine:
            for _ in range(3):
                await asyncio.gather(*(ask(engine, model, 0.0) for _ in range(slots)))
            waiting = [asyncio.create_task(ask(engine, model, 0.0)) for _ in range(3 * slots)]
            await asyncio.sleep(0)
            expected = model.lane.expected_wait
            await asyncio.gather(*waiting)
        assert expected >= 0.5 * 2 * 0.05  # two waves wait behind the one that runs

    async def test_what_cannot_be_answered_in_time_is_refused_at_once(self) -> None:
        recorder = Recorder(row_wise=False)
        async with engine_of(timeout=timedelta(seconds=0.5)) as engine:
            for _ in range(10):  # each call takes a fifth of the time limit, so that three in a row exceed it
                recorder.open.clear()
                asyncio.get_running_loop().call_later(0.2, recorder.open.set)
                await ask(engine, recorder.model, 1.0)
            recorder.open.clear()
            waiting = [asyncio.create_task(ask(engine, recorder.model, 1.0)) for _ in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(Overloaded) as caught:
                await ask(engine, recorder.model, 1.0)
            recorder.open.set()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert int(caught.value.headers["Retry-After"]) >= 1
