"""The versions in memory."""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.metrics import MEMORY_USED, MODEL_LOADED, MODEL_MEMORY

PRODUCTION, EXTRA = "production", "extra"

Key = tuple[str, str]
"""A model and a version of it."""


class LoadedModels:
    """One production version per model, and the least recently used of all others up to a number.

    Versions that are held do not count towards that number: traffic is routed to them, and they would be loaded again.

    Changed on the event loop only. A reader sees the production map of before a swap or of after it, never half of it.
    What leaves the store goes on answering the requests that have it already.

    Args:
        extra_versions: versions outside production that are kept.
        pinned: patterns of the models whose production version is not offered for eviction.
    """

    def __init__(self, extra_versions: int, pinned: tuple[str, ...] = ()) -> None:
        self._capacity = extra_versions
        self._pinned = pinned
        self._production: Mapping[str, LoadedModel] = {}
        self._extras: dict[Key, LoadedModel] = {}
        self._held: frozenset[Key] = frozenset()
        self._by_use: OrderedDict[LoadedModel, None] = OrderedDict()
        self.size = 0
        """Bytes of all versions in memory."""

    @property
    def production(self) -> Mapping[str, LoadedModel]:
        """Model → the version of it that is in production and in memory."""
        return self._production

    def use(self, name: str) -> LoadedModel | None:
        """Return the production version of a model if it is in memory, and count this as a use of it."""
        model = self._production.get(name)
        if model is not None:
            self._by_use.move_to_end(model)
        return model

    def find(self, name: str, version: str) -> LoadedModel | None:
        """Return a version if it is in memory, and count this as a use of it."""
        model = self._production.get(name)
        if model is None or model.identity.version != version:
            model = self._extras.get((name, version))
        if model is not None:
            self._by_use.move_to_end(model)
        return model

    def loaded(self) -> Iterator[tuple[LoadedModel, str]]:
        """Walk over all versions in memory, with the role of each."""
        yield from ((model, PRODUCTION) for model in self._production.values())
        yield from ((model, EXTRA) for model in self._extras.values())

    def holds(self, model: LoadedModel) -> bool:
        """Whether this very load is in the store."""
        return model in self._by_use

    def is_pinned(self, name: str) -> bool:
        """Whether the production version of a model stays in memory, whatever else needs the room."""
        return any(fnmatchcase(name, pattern) for pattern in self._pinned)

    def hold(self, keys: Collection[Key]) -> list[LoadedModel]:
        """Hold these versions, in memory or not yet, and no others; return those that fell out of memory."""
        if self._held == frozenset(keys):
            return []
        self._held = frozenset(keys)
        return self._settled([])

    def is_held(self, name: str, version: str) -> bool:
        """Whether a version is held."""
        return (name, version) in self._held

    def evictable(self, *, production: bool, held: bool) -> list[LoadedModel]:
        """List what may go when room is needed, the least recently used first; it may be answering still.

        Args:
            production: whether versions in production may go too, or only the others.
            held: whether versions that are held may go too, and after everything else; without, what is in production
                beside them stays as well, since both answer the callers of one model.
        """
        routed = frozenset() if held else frozenset(name for name, _ in self._held)
        candidates = [
            model
            for model in self._by_use
            if not self._is_in_production(model)
            or (production and not self.is_pinned(model.identity.name) and model.identity.name not in routed)
        ]
        spare = [model for model in candidates if not self._is_kept_held(model)]
        return spare + [model for model in candidates if self._is_kept_held(model)] if held else spare

    def swap(self, model: LoadedModel) -> list[LoadedModel]:
        """Put a version into production.

        Returns:
            The versions that fell out of memory; the one replaced stays as an extra version while there is room.
        """
        name, version = model.identity.name, model.identity.version
        extra = self._extras.pop((name, version), None)
        dropped = [] if extra is None or extra is model else [extra]
        replaced = self._production.get(name)
        self._production = {**self._production, name: model}
        if replaced is not None and replaced is not model:
            if replaced.identity.version == version:  # registered anew under the same number: the old one is nobody's
                dropped.append(replaced)
            else:
                self._extras[name, replaced.identity.version] = replaced
                self._by_use.move_to_end(replaced)
        self._by_use[model] = None
        self._by_use.move_to_end(model)
        return self._settled(dropped)

    def keep(self, model: LoadedModel) -> list[LoadedModel]:
        """Keep an extra version; return the versions that fell out of memory for it."""
        key = model.identity.name, model.identity.version
        before = self._extras.pop(key, None)
        self._extras[key] = model
        self._by_use[model] = None
        self._by_use.move_to_end(model)
        return self._settled([] if before is None or before is model else [before])

    def evict(self, model: LoadedModel) -> None:
        """Take a version out."""
        name, version = model.identity.name, model.identity.version
        if self._is_in_production(model):
            self._production = {other: kept for other, kept in self._production.items() if other != name}
        else:
            del self._extras[name, version]
        self._settled([model])

    def _is_in_production(self, model: LoadedModel) -> bool:
        return self._production.get(model.identity.name) is model

    def _is_kept_held(self, model: LoadedModel) -> bool:
        held = self.is_held(model.identity.name, model.identity.version)
        return held and not self._is_in_production(model)

    def _settled(self, dropped: list[LoadedModel]) -> list[LoadedModel]:
        """Drop the extra versions that are too many, and count the rest."""
        for model in dropped:
            self._by_use.pop(model, None)
        spare = [model for model in self._by_use if not self._is_in_production(model) and not self._is_kept_held(model)]
        surplus = len(spare) - self._capacity
        for model in spare[: max(0, surplus)]:
            del self._extras[model.identity.name, model.identity.version]
            del self._by_use[model]
            dropped.append(model)
        self._count()
        return dropped

    def _count(self) -> None:
        self.size = sum(model.size for model, _ in self.loaded())
        MEMORY_USED.set(self.size)
        MODEL_LOADED.clear()
        MODEL_MEMORY.clear()
        for model, role in self.loaded():
            name, version = model.identity.name, model.identity.version
            MODEL_LOADED.labels(name, version, role).set(1)
            MODEL_MEMORY.labels(name, version).set(model.size)
