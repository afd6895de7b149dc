"""Routing by what is in memory."""

from collections.abc import Callable, Collection

import pytest

from mlplatform.errors import NotFound
from services.model_serving.calls import Arm
from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.epochs import next_epochs
from services.model_serving.traffic.plan import compile_plan
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.targets import Targets


class Memory:
    """Versions in memory, by number; stands for the loader and the store."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.aliases: dict[str, str] = {}
        self.broken: set[str] = set()
        self.held: set[str] = set()

    async def resolve(self, model: str, alias: str) -> str:
        assert model == "m"
        if alias not in self.aliases:
            raise NotFound("no such alias")
        return self.aliases[alias]

    async def load(self, model: str, version: str) -> None:
        assert model == "m"
        if version in self.broken:
            raise NotFound("cannot be loaded")
        self.loaded.add(version)

    def hold(self, keys: Collection[tuple[str, str]]) -> None:
        self.held = {version for _, version in keys}

    def is_loaded(self, model: str, version: str | None) -> bool:
        assert model == "m"
        return version is None or version in self.loaded


@pytest.fixture
def memory() -> Memory:
    return Memory()


class Steered:
    """A router with one document."""

    def __init__(self, memory: Memory, revision: int = 1, **document: object) -> None:
        self.targets = Targets(memory)
        self.router = TrafficRouter(self.targets)
        self.put(revision, **document)

    def put(self, revision: int, **document: object) -> None:
        parsed = TrafficDocument.model_validate(document)
        plan = compile_plan("m", revision, parsed, next_epochs(parsed, None, {}, revision))
        self.wanted = {"m": [target.reference for target in parsed.targets()] + [f"@{parsed.primary}"]}
        self.router.replace({"m": plan})

    async def settle(self) -> None:
        self.targets.ensure(self.wanted)
        await self.targets.close()

    def route(self, key: str = "k", subject: str | None = None) -> Arm | None:
        return self.router.route("m", key, "request", subject)


CANARY = {"canary": {"version": 2, "percent": 100}}


class TestTarget:
    async def test_gets_traffic_once_it_is_in_memory_and_loses_it_with_its_place_there(self, memory: Memory) -> None:
        steered = Steered(memory, **CANARY)
        assert steered.route() is None
        await steered.settle()
        assert steered.route() == Arm("2", None, "canary")
        memory.loaded.clear()
        assert steered.route() is None
        await steered.settle()
        assert steered.route() == Arm("2", None, "canary")

    async def test_that_cannot_be_loaded_gets_none(self, memory: Memory) -> None:
        memory.broken.add("2")
        steered = Steered(memory, **CANARY)
        await steered.settle()
        assert steered.route() is None
        assert (steered.targets.state("m", "2").state, steered.targets.state("m", "2").reason) == (
            "failed",
            "cannot be loaded",
        )

    async def test_by_alias_keeps_its_version_while_the_next_one_cannot_be_loaded(self, memory: Memory) -> None:
        memory.aliases["next"] = "2"
        steered = Steered(memory, canary={"alias": "next", "percent": 100})
        await steered.settle()
        memory.aliases["next"] = "3"
        memory.broken.add("3")
        await steered.settle()
        assert steered.route() == Arm("2", None, "canary")
        assert steered.targets.state("m", "@next").state == "failed"

    async def test_that_is_no_longer_named_is_forgotten(self, memory: Memory) -> None:
        steered = Steered(memory, **CANARY)
        await steered.settle()
        steered.targets.ensure({})
        assert not steered.targets.may_route("m", "2")


class TestPrimary:
    async def test_may_be_another_alias_and_is_production_until_that_is_in_memory(self, memory: Memory) -> None:
        memory.aliases["champion"] = "5"
        steered = Steered(memory, primary="champion")
        assert steered.route() is None
        await steered.settle()
        assert steered.route() == Arm("5", None, "primary")


class TestVeto:
    async def test_holds_until_the_part_is_started_anew(self, memory: Memory) -> None:
        steered = Steered(memory, **CANARY)
        await steered.settle()
        steered.router.veto("m", "canary", 1)
        assert steered.route() is None
        assert steered.router.vetoed("m") == ["canary"]
        steered.put(2, canary={"version": 2, "percent": 0})
        assert steered.route() is None
        steered.put(3, **CANARY)
        assert steered.route() == Arm("2", None, "canary")


class TestStickiness:
    @pytest.mark.parametrize(
        ("sticky", "held"),
        [
            ("header", lambda route: route("a", "x") == route("a", "y")),
            ("principal", lambda route: route("a", "x") == route("b", "x")),
            ("none", lambda route: route("a", "x") == route("b", "y")),
        ],
    )
    async def test_goes_by_what_the_document_says(
        self, memory: Memory, sticky: str, held: Callable[[Callable[[str, str], Arm | None]], bool]
    ) -> None:
        steered = Steered(memory, sticky=sticky, canary={"version": 2, "percent": 50})
        await steered.settle()
        assert held(steered.route)
        keys = [f"{number}" for number in range(50)]
        moved = {"header": lambda key: (key, "x"), "principal": lambda key: ("a", key)}.get(sticky)
        if moved is not None:
            assert len({steered.route(*moved(key)) for key in keys}) == 2
