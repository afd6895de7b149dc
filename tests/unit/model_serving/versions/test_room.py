"""What may be loaded, and what has to leave for it."""

import asyncio

import pytest

from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.room import NoRoomError, Room, TooBigError
from services.model_serving.versions.store import LoadedModels
from tests.unit.model_serving.doubles import model_of


class Memory:
    """A store with room for 100 bytes."""

    def __init__(self, *, pinned: tuple[str, ...] = (), patience: float = 30.0) -> None:
        self.store = LoadedModels(extra_versions=4, pinned=pinned)
        self.retirement = Retirement()
        self.room = Room(100, self.store, self.retirement, patience)
        for name in ("a", "b"):
            self.store.swap(model_of(name=name, size=40))

    async def make(self, size: int, *, evicting: bool = True, replacing: str | None = None) -> None:
        replaced = None if replacing is None else self.store.production[replacing]
        reservation = self.room.reserve()
        try:
            await self.room.make(reservation, size, evicting=evicting, replaced=replaced)
        finally:
            self.room.release(reservation)

    @property
    def names(self) -> set[str]:
        return set(self.store.production)


class TestMake:
    async def test_what_fits_drives_nobody_out(self) -> None:
        memory = Memory()
        await memory.make(20)
        assert memory.names == {"a", "b"}

    async def test_the_model_that_was_not_used_for_the_longest_time_leaves(self) -> None:
        memory = Memory()
        memory.store.use("a")
        await memory.make(50)
        assert memory.names == {"a"}

    async def test_as_many_leave_as_have_to(self) -> None:
        memory = Memory()
        await memory.make(100)
        assert memory.names == set()

    async def test_a_load_that_nobody_asked_for_drives_no_production_version_out(self) -> None:
        memory = Memory()
        with pytest.raises(NoRoomError):
            await memory.make(50, evicting=False)
        assert memory.names == {"a", "b"}

    async def test_versions_outside_production_leave_for_any_load(self) -> None:
        memory = Memory()
        memory.store.keep(model_of(name="a", version="9", size=20))
        await memory.make(20, evicting=False)
        assert memory.names == {"a", "b"}
        assert memory.store.find("a", "9") is None

    async def test_what_is_being_loaded_counts(self) -> None:
        memory = Memory()
        await memory.room.make(memory.room.reserve(), 20, evicting=False)
        with pytest.raises(NoRoomError):
            await memory.make(10, evicting=False)

    async def test_a_version_may_overlap_with_the_one_it_replaces(self) -> None:
        memory = Memory()
        await memory.make(50, replacing="a")
        assert memory.names == {"a", "b"}


class TestPinned:
    async def test_a_pinned_model_stays(self) -> None:
        memory = Memory(pinned=("a",))
        memory.store.use("b")
        await memory.make(50)
        assert memory.names == {"a"}

    async def test_what_does_not_fit_beside_the_pinned_models_is_refused_for_good(self) -> None:
        memory = Memory(pinned=("a",))
        with pytest.raises(TooBigError, match="pinned models take"):
            await memory.make(61)
        assert memory.names == {"a", "b"}


class TestTooBig:
    async def test_a_model_bigger_than_the_budget_is_refused_and_nobody_leaves(self) -> None:
        memory = Memory()
        with pytest.raises(TooBigError, match="ML_SERVING_MEMORY"):
            await memory.make(101)
        assert memory.names == {"a", "b"}


class TestAnswering:
    async def test_a_model_that_answers_is_waited_for(self) -> None:
        memory = Memory()
        models = list(memory.store.production.values())
        for model in models:
            model.hold()
        load = asyncio.create_task(memory.make(50))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not load.done()
        assert memory.names == {"a", "b"}
        models[1].release()
        await load
        assert memory.names == {"a"}

    async def test_when_patience_ends_there_is_no_room(self) -> None:
        memory = Memory(patience=0.01)
        for model in memory.store.production.values():
            model.hold()
        with pytest.raises(NoRoomError):
            await memory.make(50)
        assert memory.names == {"a", "b"}

    async def test_a_model_that_has_left_and_still_answers_takes_room(self) -> None:
        memory = Memory()
        model = memory.store.production["a"]
        model.hold()
        memory.store.evict(model)
        memory.retirement.retire([model])
        load = asyncio.create_task(memory.make(60, evicting=True))
        await load
        assert memory.names == set()
        again = asyncio.create_task(memory.make(80))
        await asyncio.sleep(0)
        assert not again.done()
        model.release()
        await again
