"""The versions in memory."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.metrics import MODEL_LOADED

PRODUCTION, EXTRA = "production", "extra"


class LoadedModels:
    """One production version per model, and the least recently used of all others up to a number.

    Changed on the event loop only. A reader sees the production map of before a swap or of after it, never half of it.

    Args:
        extra_versions: versions outside production that are kept.
    """

    def __init__(self, extra_versions: int) -> None:
        self._capacity = extra_versions
        self._production: Mapping[str, LoadedModel] = {}
        self._extras: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()

    @property
    def production(self) -> Mapping[str, LoadedModel]:
        """Model → the version that is in production here."""
        return self._production

    def find(self, name: str, version: str) -> LoadedModel | None:
        """Return a version if it is in memory, and count this as a use of it."""
        model = self._production.get(name)
        if model is not None and model.identity.version == version:
            return model
        model = self._extras.get((name, version))
        if model is not None:
            self._extras.move_to_end((name, version))
        return model

    def loaded(self) -> Iterator[tuple[LoadedModel, str]]:
        """Walk over all versions in memory, with the role of each."""
        yield from ((model, PRODUCTION) for model in self._production.values())
        yield from ((model, EXTRA) for model in self._extras.values())

    def swap(self, model: LoadedModel) -> list[LoadedModel]:
        """Put a version into production.

        Returns:
            The versions that fell out of memory; the one replaced stays as an extra version while there is room.
        """
        name, version = model.identity.name, model.identity.version
        dropped = [extra] if (extra := self._extras.pop((name, version), None)) else []
        replaced = self._production.get(name)
        self._production = {**self._production, name: model}
        self._count()
        if replaced is None:
            return dropped
        if replaced.identity.version == version:  # registered anew under the same number: the old one is nobody's
            return [*dropped, replaced]
        return [*dropped, *self.keep(replaced)]

    def keep(self, model: LoadedModel) -> list[LoadedModel]:
        """Keep an extra version; return the versions that fell out of memory for it."""
        self._extras[model.identity.name, model.identity.version] = model
        dropped = [self._extras.popitem(last=False)[1] for _ in range(len(self._extras) - self._capacity)]
        self._count()
        return dropped

    def evict(self, model: LoadedModel) -> None:
        """Take an extra version out."""
        del self._extras[model.identity.name, model.identity.version]
        self._count()

    def _count(self) -> None:
        MODEL_LOADED.clear()
        for model, role in self.loaded():
            MODEL_LOADED.labels(model.identity.name, model.identity.version, role).set(1)
