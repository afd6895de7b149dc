"""What the registry and the memory of this process know about models, in one view."""

import re

from mlplatform.errors import InvalidCursor
from mlplatform.registry.errors import ModelNotFound, RegistryRefused, RegistryUnavailable, VersionNotFound
from mlplatform.registry.model_version import ModelVersion, RegisteredModel
from mlplatform.registry.registry import Registry
from services.model_serving.catalog import views
from services.model_serving.catalog.cache import ShortCache
from services.model_serving.catalog.cursor import seal, unseal
from services.model_serving.catalog.views import View
from services.model_serving.errors import ExampleMissing
from services.model_serving.loading.description import Description, read_description
from services.model_serving.schemas import (
    MODEL_NAME,
    VERSION,
    ExampleRequest,
    ModelDetail,
    ModelPage,
    ModelSummary,
    VersionDetail,
)
from services.model_serving.versions.production import Production
from services.model_serving.versions.store import LoadedModels

CACHE_SECONDS = 2.0
DESCRIPTION_SECONDS = 3600.0
NEWEST_VERSIONS = 20


class Catalog:
    """Reads models and versions; while MLflow is down, what is in memory.

    Args:
        registry: what is registered.
        store: what is in memory.
        production: what should be in memory and is not.
    """

    def __init__(self, registry: Registry, store: LoadedModels, production: Production) -> None:
        self._registry = registry
        self._store = store
        self._production = production
        self._pages: ShortCache[tuple[list[RegisteredModel], str | None]] = ShortCache(CACHE_SECONDS)
        self._models: ShortCache[tuple[RegisteredModel, list[ModelVersion]]] = ShortCache(CACHE_SECONDS)
        self._versions: ShortCache[tuple[ModelVersion, dict[str, float]]] = ShortCache(CACHE_SECONDS)
        self._descriptions: ShortCache[Description] = ShortCache(DESCRIPTION_SECONDS)

    async def list_models(self, limit: int, cursor: str | None) -> ModelPage:
        """List a page of models by name.

        Raises:
            InvalidCursor: the cursor is not one of ours.
        """
        token, last = unseal(cursor)
        try:
            models, following = await self._pages.get((limit, token), lambda: self._registry.list_models(limit, token))
        except RegistryRefused as error:
            raise InvalidCursor from error
        except RegistryUnavailable:
            if cursor is not None:
                raise
            names = sorted({model.identity.name for model, _ in self._store.loaded()})
            known = [ModelSummary(**self._summary(name, None)) for name in names[:limit]]
            return ModelPage(models=known, next_cursor=None, complete=False)
        names = [model.name for model in models]
        fresh = models[names.index(last) + 1 :] if last in names else models
        summaries = [ModelSummary(**self._summary(model.name, model)) for model in fresh]
        return ModelPage(models=summaries, next_cursor=seal(following, names[-1] if names else last), complete=True)

    async def read_model(self, name: str) -> ModelDetail:
        """Read a model with its newest versions.

        Raises:
            ModelNotFound: there is none of this name.
            RegistryUnavailable: MLflow is down and the model is not in memory.
        """
        _check_name(name)
        try:
            model, versions = await self._models.get(name, lambda: self._read_model(name))
        except RegistryUnavailable:
            loaded = [model for model, _ in self._store.loaded() if model.identity.name == name]
            if not loaded:
                raise
            known = [views.known_version(model) for model in loaded]
            return ModelDetail(**self._summary(name, None), versions=known, complete=False)
        found = [views.version_summary(version) for version in versions]
        return ModelDetail(**self._summary(name, model), versions=found, complete=True)

    async def read_version(self, name: str, version: str) -> VersionDetail:
        """Read a version with its signature, input example and metrics.

        Raises:
            ModelNotFound, VersionNotFound: there is none.
            RegistryUnavailable: MLflow is down and the version is not in memory.
        """
        _check_name(name)
        if not re.match(VERSION, version):
            raise VersionNotFound("A version is a whole number from 1 on.")
        roles = {model: role for model, role in self._store.loaded() if model.identity.name == name}
        loaded = next((model for model in roles if model.identity.version == version), None)
        state = None if loaded is None else views.state(loaded, roles[loaded])
        here = None if loaded is None else Description(loaded.declared, loaded.example)
        try:
            found, metrics = await self._versions.get((name, version), lambda: self._read_version(name, version))
            described = here or await self._descriptions.get(
                (name, version, found.created), lambda: read_description(self._registry.tracking_url, found)
            )
        except RegistryUnavailable:
            if loaded is None or here is None:
                raise
            known = views.known_version(loaded).model_dump() | views.described(here)
            return VersionDetail(**known, model=name, tags={}, metrics={}, loaded=state, complete=False)
        shown = views.version_summary(found).model_dump() | views.described(described)
        return VersionDetail(**shown, model=name, tags=found.tags, metrics=metrics, loaded=state, complete=True)

    async def read_example(self, name: str, version: str) -> ExampleRequest:
        """Read the input example of a version as a request.

        Raises:
            As `read_version`; ExampleMissing when the version was logged without one.
        """
        found = await self.read_version(name, version)
        if found.input_example is None:
            raise ExampleMissing("The version has no input example. Log it with `input_example=` to have one.")
        return ExampleRequest(model=name, version=version, inputs=found.input_example)

    def _read_model(self, name: str) -> tuple[RegisteredModel, list[ModelVersion]]:
        return self._registry.get_model(name), self._registry.list_versions(name, limit=NEWEST_VERSIONS)[0]

    def _read_version(self, name: str, version: str) -> tuple[ModelVersion, dict[str, float]]:
        found = self._registry.get_version(name, version)
        return found, self._registry.metrics(found)

    def _summary(self, name: str, model: RegisteredModel | None) -> View:
        loaded = [(found, role) for found, role in self._store.loaded() if found.identity.name == name]
        failure = self._production.failures.get(name)
        return views.model_summary(name, model, loaded, failure, alias_missing=name in self._production.missing)


def _check_name(name: str) -> None:
    if not re.match(MODEL_NAME, name):
        raise ModelNotFound("No model has such a name.")
