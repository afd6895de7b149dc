"""What readiness says about the models."""

import asyncio

from mlplatform.errors import DependencyUnavailable
from mlplatform.registry.registry import Registry
from services.model_serving.versions.store import LoadedModels
from services.model_serving.versions.watcher import AliasWatcher


class ModelChecks:
    """Health checks of the registry and of what is promoted in it.

    Args:
        registry: is asked for a sign of life.
        store: what serves.
        watcher: what should serve.
    """

    def __init__(self, registry: Registry, store: LoadedModels, watcher: AliasWatcher) -> None:
        self._registry = registry
        self._store = store
        self._watcher = watcher

    async def registry(self) -> None:
        """Ask MLflow.

        Raises:
            RegistryUnavailable: it does not answer.
        """
        await asyncio.to_thread(self._registry.ping)

    async def models(self) -> str:
        """Say what is served.

        Raises:
            DependencyUnavailable: a version in production could not be loaded, or the first look is not over.
        """
        served = self._store.production
        faults = [
            f"{name} version {failure.version} is in production and could not be loaded ({failure.reason}); "
            + (f"version {served[name].identity.version} is served." if name in served else "nothing is served for it.")
            for name, failure in self._watcher.failures.items()
        ]
        if faults:
            raise DependencyUnavailable("models", " ".join(faults))
        if not served and not self._watcher.settled:
            raise DependencyUnavailable("models", "The models in production are being loaded.")
        if self._watcher.missing:
            names = ", ".join(sorted(self._watcher.missing))
            return f"Served although their production alias is gone: {names}."
        return f"{len(served)} in production." if served else "No model is in production; promote one."
