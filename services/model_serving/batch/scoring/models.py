"""The versions in the memory of a process that scores."""

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from mlplatform.registry.cache import Lease
from mlplatform.registry.registry import Registry
from services.model_serving.batch.jobs.freezing import identify
from services.model_serving.batch.scoring.memory import private
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError
from services.model_serving.loading.loader import ModelLoader


class Models:
    """Loads versions, each once, and keeps the ones used last. Calls block.

    The one that was used longest ago goes when another one has been loaded, so that one which cannot be pushes none
    out; where there is no memory for both, it goes before.

    Args:
        registry: Where versions come from.
        loader: Loads them.
        most: How many are kept.
        memory: Bytes that the process may have of its own.
        taken: Returns how many it has; None where the system does not tell, which counts as no room for one more.

    Attributes:
        exchange: Seconds that it took to load the last version in the place of another one; 0 if that was not needed.
    """

    def __init__(
        self,
        registry: Registry,
        loader: ModelLoader,
        most: int,
        memory: int,
        taken: Callable[[], int | None] = lambda: private(os.getpid()),
    ) -> None:
        self._registry = registry
        self._loader = loader
        self._most = most
        self._memory = memory
        self._taken = taken
        self.exchange = 0.0
        self._kept: OrderedDict[ModelIdentity, tuple[LoadedModel, Lease]] = OrderedDict()

    def knows(self, identity: ModelIdentity) -> bool:
        """Whether a version is in memory."""
        return identity in self._kept

    def get(self, identity: ModelIdentity) -> LoadedModel:
        """Return the very version that a job was submitted for.

        Raises:
            RegistryUnavailable: It is neither in memory nor on disk, and MLflow is down.
            LoadError: It cannot be loaded, or another one was registered under its number.
        """
        begin = time.monotonic()
        was_full = self._is_full
        self.exchange = 0.0
        if identity not in self._kept:
            loaded = self._load(identity)
            if self._is_full:
                self._drop_oldest()
            self._kept[identity] = loaded
            self.exchange = time.monotonic() - begin if was_full else 0.0
        self._kept.move_to_end(identity)
        return self._kept[identity][0]

    @property
    def _is_full(self) -> bool:
        return len(self._kept) >= self._most

    def _drop_oldest(self) -> None:
        _, (_, lease) = self._kept.popitem(last=False)
        lease.release()

    def _load(self, identity: ModelIdentity) -> tuple[LoadedModel, Lease]:
        lease = self._loader.lease(identity.key)
        try:
            folder = self._fetch(identity)
            if self._is_full and not self._has_room(folder):
                self._drop_oldest()
            return self._loader.open(folder, identity), lease
        except BaseException:
            lease.release()
            raise

    def _has_room(self, folder: Path) -> bool:
        """Whether the version in a folder can be loaded beside all that are kept."""
        taken = self._taken()
        return taken is not None and taken + self._loader.estimate(folder) <= self._memory

    def _fetch(self, identity: ModelIdentity) -> Path:
        try:
            return self._loader.fetch(identity)  # from disk, which needs no MLflow
        except LoadError:
            version = self._registry.get_version(identity.name, identity.version)
        if identify(version) != identity:
            raise LoadError("Another model was registered under its number since the job was submitted.")
        return self._loader.fetch(version)
