"""Predictions on bounded threads."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from mlplatform.errors import DeadlineExceeded, Overloaded
from services.model_serving.engine.engine import Engine
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InputsRefused, ModelFailedError
from tests.unit.model_serving.doubles import INPUTS, model_of

LONG = timedelta(seconds=60)


@asynccontextmanager
async def engine_of(*, threads: int = 1, queue_size: int = 4, patience: timedelta = LONG) -> AsyncIterator[Engine]:
    engine = Engine(threads=threads, queue_size=queue_size, timeout=patience)
    yield engine
    await engine.close()


class Gate:
    """A model that answers when it is told to."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.model = model_of(self._predict)

    def _predict(self, *_: Any) -> list[int]:
        self.entered.set()
        assert self.opened.wait(60)
        return [1]


async def ask(engine: Engine, model: LoadedModel, inputs: Any = INPUTS) -> Any:
    given, params = model.read(inputs, {})
    return (await engine.predict(model, given, params)).answer


def raising(error: BaseException) -> Callable[..., Any]:
    def predict(*_: Any) -> Any:
        raise error

    return predict


class TestPredict:
    async def test_answers_with_what_the_model_answers(self) -> None:
        async with engine_of() as engine:
            assert (await ask(engine, model_of(lambda inputs, _: inputs.data["x"] * 2))).tolist() == [2.0]

    @pytest.mark.parametrize(
        "error", [ValueError("holds 4711"), MlflowException("holds 4711", error_code=1000)], ids=["numpy", "mlflow"]
    )
    async def test_inputs_that_the_model_refuses_are_the_callers_fault(self, error: Exception) -> None:
        async with engine_of() as engine:
            with pytest.raises(InputsRefused) as caught:
                await ask(engine, model_of(raising(error)))
        assert "4711" not in caught.value.detail

    @pytest.mark.parametrize(
        "error",
        [KeyError("holds 4711"), StopIteration("holds 4711"), SystemExit(1), MemoryError(), MlflowException("4711")],
        ids=lambda error: type(error).__name__,
    )
    async def test_whatever_else_a_model_raises_is_its_own_fault(self, error: BaseException) -> None:
        async with engine_of() as engine:
            with pytest.raises(ModelFailedError) as caught:
                await ask(engine, model_of(raising(error)))
            assert (await ask(engine, model_of())).tolist() == [[1.0]]
        assert "4711" not in caught.value.detail


class TestLimits:
    async def test_more_than_the_queue_holds_is_refused(self) -> None:
        gate = Gate()
        async with engine_of(threads=1, queue_size=1) as engine:
            waiting = [asyncio.create_task(ask(engine, gate.model)) for _ in range(2)]
            await asyncio.to_thread(gate.entered.wait, 60)
            with pytest.raises(Overloaded) as caught:
                await ask(engine, model_of())
            gate.opened.set()
            assert await asyncio.gather(*waiting) == [[1], [1]]
        assert caught.value.headers["Retry-After"]

    async def test_a_slow_model_ends_at_the_deadline_and_keeps_its_thread(self) -> None:
        gate = Gate()
        async with engine_of(threads=1, queue_size=0, patience=timedelta(milliseconds=50)) as engine:
            with pytest.raises(DeadlineExceeded):
                await ask(engine, gate.model)
            with pytest.raises(Overloaded):
                await ask(engine, model_of())
            gate.opened.set()
            await gate.model.unused()
            assert (await ask(engine, model_of())).tolist() == [[1.0]]

    async def test_a_model_is_in_use_until_its_thread_is_done(self) -> None:
        gate = Gate()
        async with engine_of() as engine:
            request = asyncio.create_task(ask(engine, gate.model))
            await asyncio.to_thread(gate.entered.wait, 60)
            request.cancel()
            drained = asyncio.create_task(gate.model.unused())
            await asyncio.wait({request})
            assert not drained.done()
            gate.opened.set()
            await asyncio.wait_for(drained, 60)
