"""The registered models as the last poll saw them, so that a request asks MLflow only for what no poll has seen."""

import asyncio
from collections.abc import Mapping
from fnmatch import fnmatchcase

from mlplatform.registry.errors import AliasNotFound, ModelNotFound
from mlplatform.registry.model_version import RegisteredModel
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION

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
        self.in_production: frozenset[str] = frozenset()
        """Names of the models that have a version in production, of those served here."""

    async def refresh(self) -> Mapping[str, RegisteredModel]:
        """Poll the registry, and return the models that have a version in production to be served here.

        Raises:
            RegistryUnavailable: MLflow is down; what was known stays.
        """
        models = await asyncio.to_thread(lambda: list(self._registry.all_models()))
        self._models = {model.name: model for model in models}
        promoted = {model.name: model for model in models if PRODUCTION in model.aliases and self._is_served(model)}
        self.in_production = frozenset(promoted)
        return promoted

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

    def _is_served(self, model: RegisteredModel) -> bool:
        return model.served_by == SERVED_HERE and any(fnmatchcase(model.name, pattern) for pattern in self._patterns)
