"""The versions in the memory of a process that scores."""

import time
from collections import OrderedDict
from pathlib import Path

from mlplatform.registry.cache import Lease
from mlplatform.registry.registry import Registry
from services.model_serving.batch.jobs.freezing import identify
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError
from services.model_serving.loading.loader import ModelLoader


class Models:
    """Loads versions, each once, and keeps the ones used last. Calls block.

    Args:
        registry: Where versions come from.
        loader: Loads them.
        most: How many are kept.

    Attributes:
        exchange: Seconds that it took to load the last version in the place of another one; 0 if that was not needed.
    """

    def __init__(self, registry: Registry, loader: ModelLoader, most: int) -> None:
        self._registry = registry
        self._loader = loader
        self._most = most
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
        is_full = len(self._kept) >= self._most
        self.exchange = 0.0
        if identity not in self._kept:
            while len(self._kept) >= self._most:
                _, (_, lease) = self._kept.popitem(last=False)
                lease.release()
            self._kept[identity] = self._load(identity)
            self.exchange = time.monotonic() - begin if is_full else 0.0
        self._kept.move_to_end(identity)
        return self._kept[identity][0]

    def _load(self, identity: ModelIdentity) -> tuple[LoadedModel, Lease]:
        lease = self._loader.lease(identity.key)
        try:
            return self._loader.open(self._fetch(identity), identity), lease
        except BaseException:
            lease.release()
            raise

    def _fetch(self, identity: ModelIdentity) -> Path:
        try:
            return self._loader.fetch(identity)  # from disk, which needs no MLflow
        except LoadError:
            version = self._registry.get_version(identity.name, identity.version)
        if identify(version) != identity:
            raise LoadError("Another model was registered under its number since the job was submitted.")
        return self._loader.fetch(version)
