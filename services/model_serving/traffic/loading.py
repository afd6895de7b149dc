"""How traffic finds versions and has them loaded: as a caller who names them would."""

from collections.abc import Collection

from services.model_serving.versions.choice import Versions
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.store import Key, LoadedModels


class LoadByName:
    """Brings versions into memory through what serves callers, with its one load at a time.

    Args:
        directory: resolves aliases.
        versions: loads.
        store: what is in memory; to look a version up there counts as a use of it, which keeps it there.
    """

    def __init__(self, directory: Directory, versions: Versions, store: LoadedModels) -> None:
        self._directory = directory
        self._versions = versions
        self._store = store

    async def resolve(self, model: str, alias: str) -> str:
        """Return the version that an alias points to.

        Raises:
            PlatformError: it points nowhere, or that cannot be known now.
        """
        return await self._directory.find_alias(model, alias)

    async def load(self, model: str, version: str) -> None:
        """Return once a version is in memory.

        Raises:
            PlatformError: it could not be loaded, or takes its time.
        """
        await self._versions.choose(model, version=version)

    def hold(self, keys: Collection[Key]) -> None:
        """Keep these versions in memory, whatever callers name, and no others."""
        self._versions.hold(keys)

    def is_loaded(self, model: str, version: str | None) -> bool:
        """Say whether a version is in memory; None is the one in production."""
        if version is None:
            return model in self._store.production
        return self._store.find(model, version) is not None
