"""Versions in memory: the least recently used goes, and what it took to load the next one is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.model_serving.batch.scoring.models import Models
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.errors import LoadError

SIZE = 10
"""Bytes that each version takes."""


class Loader:
    """Loads versions, and knows which leases are held.

    Attributes:
        held: The keys that are leased.
        beside: By key, those that were while it was opened, itself with them.
    """

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.beside: dict[str, set[str]] = {}

    def lease(self, key: str) -> Any:
        self.held.add(key)
        return SimpleNamespace(release=lambda: self.held.discard(key))

    def fetch(self, identity: ModelIdentity) -> Path:
        if identity.key == "lost":
            raise FileNotFoundError(identity.key)
        return Path(identity.key)

    def estimate(self, _: Path) -> int:
        return SIZE

    def open(self, path: Path, _: ModelIdentity) -> str:
        self.beside[str(path)] = set(self.held)
        if str(path) == "broken":
            raise LoadError("It is broken.")
        return str(path)


def identity(key: str) -> ModelIdentity:
    return ModelIdentity("model", "1", key=key, digest=None, run_id=None)


@pytest.fixture
def loader() -> Loader:
    return Loader()


def two(loader: Loader, memory: int = 3 * SIZE, **options: Any) -> Models:
    """Return models with two versions in memory, which are as many as are kept."""
    models = Models(None, loader, 2, memory, **({"taken": lambda: 2 * SIZE} | options))
    for key in ("a", "b"):
        models.get(identity(key))
    return models


class TestExchange:
    def test_only_a_version_that_took_the_place_of_another_one_was_exchanged(self, loader: Loader) -> None:
        models = Models(None, loader, 2, 3 * SIZE, lambda: 2 * SIZE)
        found = []
        for key in ("a", "b", "b", "c", "c", "a"):
            assert models.get(identity(key)) == key
            found.append(models.exchange > 0)
        assert found == [False, False, False, True, False, True]
        assert loader.held == {"a", "c"}


class TestRoom:
    def test_one_that_cannot_be_loaded_pushes_none_out(self, loader: Loader) -> None:
        models = two(loader)
        for _ in range(3):
            with pytest.raises(LoadError):
                models.get(identity("broken"))
        assert loader.beside["broken"] == {"a", "b", "broken"}
        assert loader.held == {"a", "b"}
        assert models.knows(identity("a"))
        assert models.knows(identity("b"))

    def test_where_there_is_no_memory_for_one_more_the_oldest_goes_first(self, loader: Loader) -> None:
        models = two(loader, memory=3 * SIZE - 1)
        models.get(identity("c"))
        assert loader.beside["c"] == {"b", "c"}
        with pytest.raises(LoadError):
            models.get(identity("broken"))
        assert loader.held == {"c"}

    def test_so_it_does_where_the_system_does_not_tell(self, loader: Loader) -> None:
        two(loader, taken=lambda: None).get(identity("c"))
        assert loader.beside["c"] == {"b", "c"}

    def test_one_whose_files_are_not_to_be_had_never_pushes_one_out(self, loader: Loader) -> None:
        models = two(loader, memory=0)
        with pytest.raises(FileNotFoundError):
            models.get(identity("lost"))
        assert loader.held == {"a", "b"}
