"""What protocols ask about the models here beside predictions: which there are, and to let one go."""

from services.model_serving.versions.production import Production
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.store import LoadedModels


class Residents:
    """The models of this process.

    Args:
        store: the versions in memory.
        production: what is served.
        retirement: where versions go that leave memory.
    """

    def __init__(self, store: LoadedModels, production: Production, retirement: Retirement) -> None:
        self._store = store
        self._production = production
        self._retirement = retirement

    @property
    def in_production(self) -> frozenset[str]:
        """The names of the models with a version in production, in memory or not."""
        return self._production.known

    @property
    def on_disk(self) -> frozenset[str]:
        """Those of them that their next request has to load."""
        return self._production.on_disk

    def find(self, name: str) -> dict[str, str]:
        """Return version → role of what is in memory of a model."""
        return {model.identity.version: role for model, role in self._store.loaded() if model.identity.name == name}

    def let_go(self, name: str) -> None:
        """Take the versions of a model out of memory that are not in production; requests under way are answered."""
        extras = [model for model, _ in self._store.loaded() if model.identity.name == name]
        leaving = [model for model in extras if self._store.production.get(name) is not model]
        for model in leaving:
            self._store.evict(model)
        self._retirement.retire(leaving)
