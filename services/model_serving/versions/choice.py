"""From what a caller names to the version in memory that answers."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from mlplatform.registry.errors import AliasNotFound
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import ModelNotLoadedError
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.production import Production
from services.model_serving.versions.store import Key, LoadedModels

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
        production: brings back what is in production and not in memory.
    """

    def __init__(
        self,
        *,
        store: LoadedModels,
        extras: ExtraVersions,
        directory: Directory,
        registry: Registry,
        production: Production,
    ) -> None:
        self._store = store
        self._extras = extras
        self._directory = directory
        self._registry = registry
        self._production = production

    def hold(self, keys: Collection[Key]) -> None:
        """Keep these versions in memory before all others outside production, once they are there."""
        self._extras.hold(keys)

    async def choose(self, name: str, *, version: str | None = None, alias: str | None = None) -> Choice:
        """Return the version to answer with: by number, else by alias, else the one in production.

        Raises:
            NotFound: there is no such model, version or alias, or another service serves the model.
            ModelNotLoadedError: it cannot be loaded, or not in the time that a request waits for it.
            RegistryUnavailable: it is not in memory and MLflow is down.
        """
        if version is not None:
            return Choice(await self._by_number(name, version), "version")
        if alias not in {None, PRODUCTION}:
            number = await self._directory.find_alias(name, str(alias))
            return Choice(await self._by_number(name, number), "alias")
        model = self._store.use(name)
        if model is None:
            model = await self._bring_back(name)
        return Choice(model, "primary")

    async def _by_number(self, name: str, version: str) -> LoadedModel:
        model = self._store.find(name, version)
        if model is not None:
            return model
        await self._directory.find(name)
        found = await asyncio.to_thread(self._registry.get_version, name, version)
        return await self._extras.load(found)

    async def _bring_back(self, name: str) -> LoadedModel:
        if name not in self._production.known:
            try:
                await self._directory.find_alias(name, PRODUCTION)  # asks the registry for what no poll has seen yet
            except AliasNotFound as error:
                detail = f"Model {name!r} has no version in production; promote one, or name a version."
                raise AliasNotFound(detail) from error
            raise ModelNotLoadedError(f"Model {name!r} is being loaded; try again shortly.")
        return await self._production.demand(name)
