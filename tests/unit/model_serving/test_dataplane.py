"""From a call to the answer of a version."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mlplatform.errors import Overloaded, PlatformError
from services.model_serving.calls import Answer, Arm, Call, Served
from services.model_serving.dataplane import LARGE_BODY, Dataplane
from services.model_serving.engine.engine import Engine
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InvalidInputs, ModelFailedError
from services.model_serving.versions.choice import Choice
from tests.unit.model_serving.doubles import INPUTS, model_of


class Shelf:
    """Versions in memory, by number or alias; the one in production is under None."""

    def __init__(self, **models: LoadedModel) -> None:
        self._models = models

    async def choose(self, _name: str, *, version: str | None = None, alias: str | None = None) -> Choice:
        if version is not None:
            return Choice(self._models[f"v{version}"], "version")
        return Choice(self._models[alias or "production"], "alias" if alias else "primary")


class Notes:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.served: list[Served] = []

    def observe(self, served: Served) -> None:
        self.served.append(served)


class Split:
    """A router that gives everybody the same arm."""

    def __init__(self, arm: Arm | None) -> None:
        self.arm = arm

    def draws(self, _: str) -> bool:
        return True

    def route(self, *_: Any) -> Arm | None:
        return self.arm


def failing(*_: Any) -> Any:
    raise KeyError("broken")


@asynccontextmanager
async def dataplane_of(
    shelf: Shelf, *, router: Any = None, notes: Notes | None = None, queue_size: int = 10
) -> AsyncIterator[Dataplane]:
    engine = Engine(threads=1, queue_size=queue_size, timeout=timedelta(seconds=60))
    yield Dataplane(engine, shelf, router, [notes] if notes else [])
    await engine.close()


def call_of(inputs: Any = INPUTS, **fields: Any) -> Call:
    def read(model: LoadedModel) -> Any:
        return model.read(inputs, {})

    return Call(**{"model": "model", "read": read, "size": 10, "tenant": "t", "request_id": "r", **fields})


async def answered(shelf: Shelf, call: Call, router: Any = None) -> Answer:
    async with dataplane_of(shelf, router=router) as dataplane:
        return await dataplane.infer(call)


class TestInfer:
    @pytest.mark.parametrize("size", [10, LARGE_BODY], ids=["small", "large"])
    async def test_a_body_of_any_size_is_read_and_answered(self, size: int) -> None:
        answer = await answered(Shelf(production=model_of()), call_of(size=size))
        assert answer.predictions.tolist() == [[1.0]]
        assert answer.route == "primary"

    async def test_no_rows_are_answered_without_the_model(self) -> None:
        assert (await answered(Shelf(production=model_of(failing)), call_of([]))).predictions == []

    async def test_a_model_of_a_history_says_how_many_rows_it_needs(self) -> None:
        shelf = Shelf(production=replace(model_of(), input_rows=3))
        with pytest.raises(InvalidInputs) as caught:
            await answered(shelf, call_of(INPUTS * 2))
        assert [error.message for error in caught.value.errors] == ["must have 3 rows for this model, has 2"]
        assert len((await answered(shelf, call_of(INPUTS * 3))).predictions) == 3

    async def test_what_the_queue_has_no_room_for_is_not_even_read(self) -> None:
        gate, reads = threading.Event(), []

        def counted(model: LoadedModel) -> Any:
            reads.append(model)
            return model.read(INPUTS, {})

        model = model_of(lambda *_: [float(gate.wait(60))])
        async with dataplane_of(Shelf(production=model), queue_size=0) as dataplane:
            first = asyncio.create_task(dataplane.infer(call_of(read=counted)))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await dataplane.infer(call_of(read=counted))
            gate.set()
            assert (await first).predictions == [1.0]
        assert len(reads) == 1

    @pytest.mark.parametrize(
        ("router", "fields", "lasts"),
        [
            (None, {}, True),
            (Split(None), {}, False),
            (Split(None), {"version": "1"}, True),
        ],
    )
    async def test_a_refusal_lasts_unless_the_next_call_may_go_to_another_version(
        self, router: Any, fields: dict[str, Any], lasts: bool
    ) -> None:
        gate = threading.Event()
        gate.set()

        def predict(*_: Any) -> Any:
            assert gate.wait(60)
            time.sleep(0.01)
            return [1.0]

        model = replace(model_of(predict), row_wise=False)
        async with dataplane_of(Shelf(production=model, v1=model), router=router, queue_size=1) as dataplane:
            await dataplane.infer(call_of())  # so that the pace is known
            gate.clear()
            waiting = [asyncio.create_task(dataplane.infer(call_of())) for _ in range(2)]
            await asyncio.sleep(0.05)
            with pytest.raises(Overloaded) as caught:
                await dataplane.infer(call_of(**fields))
            gate.set()
            await asyncio.gather(*waiting)
        assert (caught.value.lasts > 0) is lasts


class TestRouting:
    @pytest.fixture
    def shelf(self) -> Shelf:
        return Shelf(production=model_of(version="1"), v2=model_of(version="2"), challenger=model_of(version="3"))

    @pytest.mark.parametrize(
        ("arm", "version", "route"),
        [
            (None, "1", "primary"),
            (Arm("2", None, "canary"), "2", "canary"),
            (Arm(None, "challenger", "ab:b"), "3", "ab:b"),
        ],
    )
    async def test_the_router_chooses(self, shelf: Shelf, arm: Arm | None, version: str, route: str) -> None:
        answer = await answered(shelf, call_of(), Split(arm))
        assert (answer.model.identity.version, answer.route) == (version, route)

    @pytest.mark.parametrize(("named", "version"), [({"version": "2"}, "2"), ({"alias": "challenger"}, "3")])
    async def test_a_caller_who_names_a_version_is_not_routed(
        self, shelf: Shelf, named: dict[str, str], version: str
    ) -> None:
        answer = await answered(shelf, call_of(**named), Split(Arm("1", None, "canary")))
        assert answer.model.identity.version == version


class TestObservers:
    async def test_an_answer_is_told_with_inputs_and_times(self) -> None:
        notes = Notes()
        async with dataplane_of(Shelf(production=model_of()), notes=notes) as dataplane:
            await dataplane.infer(call_of(routing_key="k"))
        (served,) = notes.served
        assert served.given is not None
        assert served.given.rows == 1
        assert served.predictions.tolist() == [[1.0]]
        assert (served.error, served.routing_key, served.request_id, served.tenant) == (None, "k", "r", "t")
        assert served.seconds > served.queue_seconds >= 0

    @pytest.mark.parametrize(
        ("model", "inputs", "error"),
        [(model_of(), [{"x": "text"}], InvalidInputs), (model_of(failing), INPUTS, ModelFailedError)],
        ids=["inputs", "model"],
    )
    async def test_a_failure_is_told_too(self, model: LoadedModel, inputs: Any, error: type[PlatformError]) -> None:
        notes = Notes()
        async with dataplane_of(Shelf(production=model), notes=notes) as dataplane:
            with pytest.raises(error):
                await dataplane.infer(call_of(inputs))
        (served,) = notes.served
        assert isinstance(served.error, error)
        assert served.predictions is None

    async def test_the_version_is_in_use_until_the_answer(self) -> None:
        model = model_of()
        async with dataplane_of(Shelf(production=model)) as dataplane:
            await dataplane.infer(call_of())
            await model.unused()
