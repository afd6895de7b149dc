"""Versions that traffic is routed to, beside those that callers name."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from services.model_serving.errors import ModelNotLoadedError
from services.model_serving.traffic.loading import LoadByName
from services.model_serving.traffic.targets import Targets
from services.model_serving.versions.choice import Versions
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.production import Production
from tests.unit.model_serving.doubles import model_of
from tests.unit.model_serving.versions.loading import SIZE, Memory, memory_of, version_of

NAME = "model"
FIVE = ["1", "2", "3", "4", "5"]


class Names:
    """A directory in which every model is."""

    async def find(self, name: str) -> None:
        """Find it."""


class Routed:
    """Targets of one model, which has version 9 in production, and another model that nobody asks for."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.extras = ExtraVersions(memory.loads, memory.store, memory.retirement, 10.0)
        directory = cast("Directory", Names())
        versions = Versions(
            store=memory.store,
            extras=self.extras,
            directory=directory,
            registry=memory.registry,
            production=cast("Production", None),
        )
        self.targets = Targets(LoadByName(directory, versions, memory.store))
        memory.store.swap(model_of(name="idle", size=SIZE))
        memory.store.swap(model_of(version="9", size=SIZE))

    async def tick(self, *references: str) -> None:
        self.targets.ensure({NAME: references})
        await self.targets.close()

    def ready(self) -> list[str]:
        return [version for version in FIVE if self.targets.may_route(NAME, version)]

    @property
    def in_production(self) -> set[str]:
        return set(self.memory.store.production)

    async def close(self) -> None:
        await self.extras.close()
        await self.memory.retirement.close()


@pytest.fixture(params=[0, 4])
def few(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Memory]:
    """Memory in which all fit, for fewer extra versions than there are targets."""
    with memory_of(tmp_path, extra_versions=request.param) as memory:
        yield memory


class TestMoreTargetsThanExtraVersions:
    async def test_each_is_loaded_once(self, few: Memory) -> None:
        routed = Routed(few)
        for _ in range(3):
            await routed.tick(*FIVE)
        assert routed.ready() == FIVE
        assert few.versions.loads == {(NAME, version): 1 for version in FIVE}
        await routed.close()

    async def test_what_is_no_target_any_more_leaves(self, tmp_path: Path) -> None:
        with memory_of(tmp_path, extra_versions=0) as memory:
            routed = Routed(memory)
            await routed.tick(*FIVE)
            await routed.tick("5")
            assert [model.identity.version for model, role in memory.store.loaded() if role == "extra"] == ["5"]
            await routed.close()


class TestCallersWhoNameOldVersions:
    async def test_they_do_not_drive_a_target_out(self, few: Memory) -> None:
        routed = Routed(few)
        await routed.tick("1")
        for version in ("11", "12", "13", "14", "15"):
            await routed.extras.load(version_of(version))
        assert routed.ready() == ["1"]
        await routed.tick("1")
        assert few.versions.loads[NAME, "1"] == 1
        await routed.close()

    async def test_nor_when_memory_is_full_and_then_nothing_in_production_leaves_either(self, tmp_path: Path) -> None:
        with memory_of(tmp_path, budget=3 * SIZE) as memory:
            routed = Routed(memory)
            await routed.tick("1")
            with pytest.raises(ModelNotLoadedError, match="no room"):
                await routed.extras.load(version_of("11"))
            assert routed.ready() == ["1"]
            assert routed.in_production == {"idle", NAME}
            await routed.close()


class TestFullMemory:
    async def test_a_target_takes_the_room_of_a_model_that_nobody_asks_for(self, tmp_path: Path) -> None:
        with memory_of(tmp_path, budget=2 * SIZE) as memory:
            routed = Routed(memory)
            await routed.tick("1")
            assert routed.ready() == ["1"]
            assert routed.in_production == {NAME}
            await routed.close()

    async def test_targets_that_do_not_fit_get_no_traffic_and_leave_the_others_and_the_primary_alone(
        self, tmp_path: Path
    ) -> None:
        with memory_of(tmp_path, budget=3 * SIZE) as memory:
            routed = Routed(memory)
            await routed.tick("1", "2")
            await routed.tick("1", "2", "3")
            assert routed.ready() == ["1", "2"]
            assert routed.targets.state(NAME, "3").state == "failed"
            assert "no room" in str(routed.targets.state(NAME, "3").reason)
            assert routed.in_production == {NAME}
            assert [memory.versions.loads[NAME, version] for version in "12"] == [1, 1]
            await routed.close()
