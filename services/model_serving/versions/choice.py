"""From what a caller names to the version in memory that answers."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from mlplatform.registry.errors import AliasNotFound
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import ModelNotLoadedError
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.store import LoadedModels
from services.model_serving.versions.watcher import AliasWatcher

Route = Literal["primary", "version", "alias"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that answers a request, and how it came to be chosen."""

    model: LoadedModel
    route: Route


class Versions:
    """Chooses versions; what is in production is found without asking anybody.

    Args:
        store: the versions in memory.
        extras: loads the others.
        directory: names and aliases.
        registry: knows single versions.
        watcher: knows why a version in production is not in memory.
    """

    def __init__(
        self,
        *,
        store: LoadedModels,
        extras: ExtraVersions,
        directory: Directory,
        registry: Registry,
        watcher: AliasWatcher,
    ) -> None:
        self._store = store
        self._extras = extras
        self._directory = directory
        self._registry = registry
        self._watcher = watcher

    async def choose(self, name: str, *, version: str | None = None, alias: str | None = None) -> Choice:
        """Return the version to answer with: by number, else by alias, else the one in production.

        Raises:
            NotFound: there is no such model, version or alias, or another service serves the model.
            ModelNotLoadedError: it exists and is not in memory.
            RegistryUnavailable: it is not in memory and MLflow is down.
        """
        if version is not None:
            return Choice(await self._by_number(name, version), "version")
        if alias not in {None, PRODUCTION}:
            number = await self._directory.find_alias(name, str(alias))
            return Choice(await self._by_number(name, number), "alias")
        model = self._store.production.get(name)
        if model is None:
            raise await self._why_not_in_production(name)
        return Choice(model, "primary")

    async def _by_number(self, name: str, version: str) -> LoadedModel:
        model = self._store.find(name, version)
        if model is not None:
            return model
        await self._directory.find(name)
        found = await asyncio.to_thread(self._registry.get_version, name, version)
        return await self._extras.load(found)

    async def _why_not_in_production(self, name: str) -> Exception:
        model = await self._directory.find(name)
        if PRODUCTION not in model.aliases:
            return AliasNotFound(f"Model {name!r} has no version in production; promote one, or name a version.")
        failure = self._watcher.failures.get(name)
        if failure is None:
            return ModelNotLoadedError(f"Model {name!r} is being loaded; try again shortly.")
        return ModelNotLoadedError(
            f"Model {name!r} version {failure.version} could not be loaded. {failure.reason}",
            retry_after=failure.seconds_left,
        )
