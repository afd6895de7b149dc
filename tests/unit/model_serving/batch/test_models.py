"""Versions in memory: the least recently used goes, and what it took to load the next one is known."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from services.model_serving.batch.scoring.models import Models
from services.model_serving.engine.identity import ModelIdentity


class Loader:
    """Loads versions, and knows which leases are held."""

    def __init__(self) -> None:
        self.held: set[str] = set()

    def lease(self, key: str) -> Any:
        self.held.add(key)
        return SimpleNamespace(release=lambda: self.held.discard(key))

    def fetch(self, identity: ModelIdentity) -> Path:
        return Path(identity.key)

    def open(self, path: Path, _: ModelIdentity) -> str:
        return str(path)


def identity(key: str) -> ModelIdentity:
    return ModelIdentity("model", "1", key=key, digest=None, run_id=None)


class TestExchange:
    def test_only_a_version_that_took_the_place_of_another_one_was_exchanged(self) -> None:
        loader = Loader()
        models = Models(None, loader, 2)
        found = []
        for key in ("a", "b", "b", "c", "c", "a"):
            assert models.get(identity(key)) == key
            found.append(models.exchange > 0)
        assert found == [False, False, False, True, False, True]
        assert loader.held == {"a", "c"}
