"""A loader whose loads a test lets through one by one, and what stands around it."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.loading.loader import ModelLoader
from services.model_serving.versions.leases import Leases
from services.model_serving.versions.loads import Loads
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.room import Room
from services.model_serving.versions.store import LoadedModels
from tests.unit.model_serving.doubles import model_of

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE = 10.0
SIZE = 10


def version_of(version: str, name: str = "model") -> ModelVersion:
    """Return a version as the registry knows it."""
    return ModelVersion(name, version, (), None, "models:/m-1", "None", {"digest": f"{name}-{version}"}, BEGAN)


class Versions:
    """The registry and the loader of versions of `SIZE` bytes each; a version that is shut is loaded once opened."""

    def __init__(self, folder: Path) -> None:
        self.loads: Counter[tuple[str, str]] = Counter()
        self._folder = folder
        self._shut: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self._closed: set[str] = set()

    def shut(self, version: str) -> None:
        self._closed.add(version)
        self._shut[version].clear()

    def let_through(self, version: str) -> None:
        self._shut[version].set()

    def get_version(self, name: str, version: str) -> ModelVersion:
        return version_of(version, name)

    def identify(self, version: ModelVersion) -> ModelIdentity:
        return model_of(name=version.name, version=version.version).identity

    def fetch(self, _: object) -> Path:
        return self._folder

    def open(self, _: Path, identity: ModelIdentity) -> LoadedModel:
        self.loads[identity.name, identity.version] += 1
        if identity.version in self._closed and not self._shut[identity.version].wait(DEADLINE):
            raise TimeoutError
        return model_of(name=identity.name, version=identity.version, size=SIZE)


class Lease:
    """Keeps nothing."""

    def release(self) -> None:
        """Do nothing."""


class Memory:
    """A store with loads into it."""

    def __init__(self, versions: Versions, executor: ThreadPoolExecutor, *, budget: int, extra_versions: int) -> None:
        self.versions = versions
        self.registry = cast("Registry", versions)
        self.store = LoadedModels(extra_versions)
        self.retirement = Retirement()
        self.loads = Loads(
            loader=cast("ModelLoader", versions),
            room=Room(budget, self.store, self.retirement, 0.05),
            leases=Leases(lambda _: cast("Any", Lease())),
            executor=executor,
        )

    async def loading(self, version: str, name: str = "model") -> None:
        """Wait until a load is under way."""
        await until(lambda: self.versions.loads[name, version] > 0)


@contextmanager
def memory_of(folder: Path, *, budget: int = 10 * SIZE, extra_versions: int = 4) -> Iterator[Memory]:
    """Give a store with room for ten versions unless told otherwise."""
    with ThreadPoolExecutor(4) as executor:
        yield Memory(Versions(folder), executor, budget=budget, extra_versions=extra_versions)


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something is true."""
    async with asyncio.timeout(DEADLINE):
        while True:
            if happened():
                return
            await asyncio.sleep(0.001)
