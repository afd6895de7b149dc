"""From what a caller names to the version that scores the whole of a job, whatever is promoted meanwhile."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlplatform.registry import tags as tag
from mlplatform.registry.errors import AliasNotFound
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry, cache_key
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.batch.scoring.media import task_of
from services.model_serving.catalog.cache import ShortCache
from services.model_serving.engine.identity import ModelIdentity
from services.model_serving.loading.description import read_description
from services.model_serving.signature.parameters import Parameters
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.store import LoadedModels

KEPT_SECONDS = 3600.0
"""How long it is remembered what a version declares, which never changes."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a version says about itself.

    Attributes:
        task: Of a model of texts or images.
        parameters: Reads its parameters.
    """

    task: str | None
    parameters: Parameters


class Freezer:
    """Resolves versions and aliases without loading anything.

    Args:
        directory: Names and aliases.
        store: The versions in memory, which are known while MLflow is down.
        registry: Knows all versions.
    """

    def __init__(self, directory: Directory, store: LoadedModels, registry: Registry) -> None:
        self._directory = directory
        self._store = store
        self._registry = registry
        self._declared: ShortCache[Declared] = ShortCache(KEPT_SECONDS)

    async def freeze(self, name: str, *, version: str | None = None, alias: str | None = None) -> ModelIdentity:
        """Return the version by number, else by alias, else the one in production.

        Raises:
            NotFound: There is no such model, version or alias, or another service serves the model.
            RegistryUnavailable: It is not in memory and MLflow is down.
        """
        if version is None and alias in {None, PRODUCTION}:
            return await self._in_production(name)
        if version is None:
            version = await self._directory.find_alias(name, str(alias))
        loaded = self._store.find(name, version)
        if loaded is not None:
            return loaded.identity
        await self._directory.find(name)
        return await self._look_up(name, version)

    async def task(self, identity: ModelIdentity) -> str | None:
        """Return what a version of texts or images does; None of another one.

        Raises:
            RegistryUnavailable: It is not in memory and MLflow is down.
        """
        return (await self._describe(identity)).task

    async def check(self, identity: ModelIdentity, params: Mapping[str, Any]) -> None:
        """Refuse parameters that a version does not declare, or of another type, before each item fails of them.

        Raises:
            InvalidInputs: There are such; each is named, and those that are declared.
            RegistryUnavailable: The version is not in memory and MLflow is down.
        """
        if params:
            (await self._describe(identity)).parameters.read(dict(params))

    async def _describe(self, identity: ModelIdentity) -> Declared:
        loaded = self._store.find(identity.name, identity.version)
        if loaded is not None:
            return Declared(task_of(loaded), loaded.signature.parameters)
        return await self._declared.get(identity, lambda: self._read_declared(identity))

    def _read_declared(self, identity: ModelIdentity) -> Declared:
        version = self._registry.get_version(identity.name, identity.version)
        found = read_description(self._registry.tracking_url, version)
        params = None if found.signature is None else found.signature.params
        return Declared(found.metadata.get(tag.TASK), Parameters(params))

    async def _in_production(self, name: str) -> ModelIdentity:
        loaded = self._store.use(name)
        if loaded is not None:
            return loaded.identity
        try:
            number = await self._directory.find_alias(name, PRODUCTION)
        except AliasNotFound as error:
            detail = f"Model {name!r} has no version in production; promote one, or name a version."
            raise AliasNotFound(detail) from error
        return await self._look_up(name, number)

    async def _look_up(self, name: str, number: str) -> ModelIdentity:
        return identify(await asyncio.to_thread(self._registry.get_version, name, number))


def identify(version: ModelVersion) -> ModelIdentity:
    """Return what says that two loads are of the same thing."""
    return ModelIdentity(version.name, version.version, cache_key(version), version.digest, version.run_id)
