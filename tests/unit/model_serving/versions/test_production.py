"""Which version serves when promotions and loads overtake each other."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.versions.last_known import LastKnown
from services.model_serving.versions.production import Production, Wanted
from tests.unit.model_serving.versions.loading import BEGAN, Memory, memory_of, version_of

NAME = "model"


class Served:
    """What is in production of one model, and what is in memory of it."""

    def __init__(self, memory: Memory, folder: Path) -> None:
        self.memory = memory
        self.versions = memory.versions
        self.production = Production(
            registry=memory.registry,
            loads=memory.loads,
            store=memory.store,
            retirement=memory.retirement,
            last_known=LastKnown(folder),
            retry=60.0,
            patience=10.0,
        )

    def promote(self, version: str) -> None:
        found = version_of(version)
        self.production.want_one(NAME, Wanted(version, BEGAN), found, time.perf_counter())

    def poll(self, version: str) -> None:
        self.production.want({NAME: Wanted(version, BEGAN)})

    async def evicted(self, version: str) -> None:
        """Put a version into production and take it out of memory."""
        self.promote(version)
        await self.production.settle()
        self.evict()
        self.versions.loads.clear()

    def evict(self) -> None:
        model = self.memory.store.production[NAME]
        self.memory.store.evict(model)
        self.memory.retirement.retire([model])

    @property
    def number(self) -> str | None:
        model = self.memory.store.production.get(NAME)
        return None if model is None else model.identity.version

    async def close(self) -> None:
        await self.production.close()
        await self.memory.retirement.close()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with memory_of(tmp_path) as memory:
        yield memory


@pytest.fixture
def served(memory: Memory, tmp_path: Path) -> Served:
    return Served(memory, tmp_path)


class TestPromotionDuringTheLoadOfARequest:
    async def test_the_version_of_before_does_not_replace_the_promoted_one(self, served: Served) -> None:
        await served.evicted("1")
        served.versions.shut("1")
        request = asyncio.create_task(served.production.demand(NAME))
        await served.memory.loading("1")
        served.promote("2")
        await served.production.settle()
        assert served.number == "2"
        served.versions.let_through("1")
        answering = await request
        assert (served.number, answering.identity.version) == ("2", "2")
        await served.close()

    async def test_the_version_of_before_stands_in_until_the_promoted_one_is_there(self, served: Served) -> None:
        await served.evicted("1")
        served.versions.shut("1")
        served.versions.shut("2")
        request = asyncio.create_task(served.production.demand(NAME))
        await served.memory.loading("1")
        served.promote("2")
        await served.memory.loading("2")
        served.versions.let_through("1")
        assert (await request).identity.version == "1"
        served.versions.let_through("2")
        await served.production.settle()
        assert served.number == "2"
        await served.close()


class TestRollBackDuringALoad:
    async def test_the_version_rolled_back_from_does_not_serve(self, served: Served) -> None:
        await served.evicted("1")
        served.versions.shut("2")
        served.promote("2")
        await served.memory.loading("2")
        served.poll("1")
        served.versions.let_through("2")
        await served.production.settle()
        assert served.number is None
        assert (await served.production.demand(NAME)).identity.version == "1"
        assert served.number == "1"
        await served.close()

    async def test_nor_does_it_when_a_request_had_it_loaded(self, served: Served) -> None:
        await served.evicted("1")
        served.promote("2")
        await served.production.settle()
        served.evict()
        served.versions.loads.clear()
        served.versions.shut("2")
        request = asyncio.create_task(served.production.demand(NAME))
        await served.memory.loading("2")
        served.promote("1")
        await served.production.settle()
        served.versions.let_through("2")
        assert (await request).identity.version == "1"
        assert served.number == "1"
        await served.close()


class TestPoll:
    async def test_a_version_that_came_to_serve_by_mistake_is_replaced(self, served: Served) -> None:
        served.promote("2")
        await served.production.settle()
        served.production.adopt(await load(served.memory, "1"))
        assert served.number == "1"
        served.poll("2")
        await served.production.settle()
        assert served.number == "2"
        await served.close()

    async def test_a_version_that_was_evicted_is_left_on_disk(self, served: Served) -> None:
        await served.evicted("1")
        served.poll("1")
        await served.production.settle()
        assert served.number is None
        assert served.production.on_disk == {NAME}
        await served.close()


async def load(memory: Memory, version: str) -> LoadedModel:
    model = await memory.loads.load(version_of(version), lambda _: None, evicting=False)
    assert isinstance(model, LoadedModel)
    return model
