"""The registered models as the last poll saw them, so that a request asks MLflow only for what no poll has seen."""

import asyncio
from collections.abc import Mapping
from fnmatch import fnmatchcase

from mlplatform.registry.errors import AliasNotFound, ModelNotFound, VersionNotFound
from mlplatform.registry.model_version import ModelVersion, RegisteredModel
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION, STAGING

SERVED_HERE = "serving"


class Directory:
    """Names and aliases.

    Args:
        registry: where they come from.
        patterns: names of the models that this process serves.
    """

    def __init__(self, registry: Registry, patterns: tuple[str, ...]) -> None:
        self._registry = registry
        self._patterns = patterns
        self._models: Mapping[str, RegisteredModel] = {}

    async def refresh(self) -> Mapping[str, RegisteredModel]:
        """Poll the registry, and return the models that have a version in production to be served here.

        Raises:
            RegistryUnavailable: MLflow is down; what was known stays.
        """
        models = await asyncio.to_thread(lambda: list(self._registry.all_models()))
        self._models = {model.name: model for model in models}
        return {model.name: model for model in models if PRODUCTION in model.aliases and self._is_served(model)}

    def production_versions(self) -> list[ModelVersion]:
        """Ask the registry for the versions in production to be served here; blocks.

        Raises:
            RegistryUnavailable: MLflow is down.
        """
        return [
            self._registry.get_version(model.name, model.aliases[PRODUCTION])
            for model in self._registry.all_models()
            if PRODUCTION in model.aliases and self._is_served(model)
        ]

    async def look(self, name: str, number: str) -> tuple[RegisteredModel, ModelVersion | None]:
        """Ask the registry for one model, and at the same time for the version that is thought to be in production.

        Raises:
            ModelNotFound: there is no such model, or another service serves it.
            RegistryUnavailable: MLflow is down.
        """
        model, version = await asyncio.gather(
            asyncio.to_thread(self._registry.get_model, name), self._version_or_none(name, number)
        )
        if not self._is_served(model):
            raise ModelNotFound(f"Model {name!r} is not served here.")
        self._models = {**self._models, name: model}
        return model, version

    async def version(self, name: str, number: str) -> ModelVersion:
        """Look a version up in the registry.

        Raises:
            VersionNotFound: there is none.
            RegistryUnavailable: MLflow is down.
        """
        return await asyncio.to_thread(self._registry.get_version, name, number)

    def covers(self, name: str) -> bool:
        """Whether this process may serve a model of this name."""
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)

    def staged(self) -> list[tuple[str, str]]:
        """List the models with a version in staging to be served here, and that version, as of the last poll."""
        return [
            (model.name, model.aliases[STAGING])
            for model in self._models.values()
            if STAGING in model.aliases and self._is_served(model)
        ]

    async def find(self, name: str) -> RegisteredModel:
        """Return a model that this service serves.

        Raises:
            ModelNotFound: there is none of this name, or another service serves it.
            RegistryUnavailable: no poll has seen it and MLflow is down.
        """
        model = self._models.get(name)
        if model is None:
            model = await asyncio.to_thread(self._registry.get_model, name)
        if not self._is_served(model):
            where = "another process" if model.served_by == SERVED_HERE else model.served_by
            raise ModelNotFound(f"Model {name!r} is served by {where}, not here.")
        return model

    def known(self, name: str) -> RegisteredModel | None:
        """Return a model as the last poll saw it, None when it did not; asks nobody."""
        return self._models.get(name)

    async def find_alias(self, name: str, alias: str) -> str:
        """Return the version an alias points to, at most one poll ago.

        Raises:
            AliasNotFound: it points nowhere.
        """
        model = await self.find(name)
        version = model.aliases.get(alias)
        if version is None:
            model = await asyncio.to_thread(self._registry.get_model, name)
            version = model.aliases.get(alias)
        if version is None:
            raise AliasNotFound(f"Model {name!r} has no version under the alias {alias!r}.")
        return version

    async def _version_or_none(self, name: str, number: str) -> ModelVersion | None:
        try:
            return await self.version(name, number)
        except (ModelNotFound, VersionNotFound):
            return None

    def _is_served(self, model: RegisteredModel) -> bool:
        return model.served_by == SERVED_HERE and self.covers(model.name)
