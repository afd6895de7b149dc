"""What readiness says about the models."""

import asyncio

from mlplatform.errors import DependencyUnavailable
from mlplatform.registry.registry import Registry
from mlplatform.service.health import Degraded
from services.model_serving.versions.production import Production
from services.model_serving.versions.store import LoadedModels
from services.model_serving.versions.watcher import AliasWatcher


class ModelChecks:
    """Health checks of the registry and of what is promoted in it.

    Args:
        registry: is asked for a sign of life.
        store: what serves.
        production: what should serve.
        watcher: whether everything was tried.
    """

    def __init__(self, registry: Registry, store: LoadedModels, production: Production, watcher: AliasWatcher) -> None:
        self._registry = registry
        self._store = store
        self._production = production
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
            DependencyUnavailable: what is in production is still being loaded for the first time.
            Degraded: a version in production could not be loaded, or is served although its alias is gone. The other
                models are served, so that the process stays in rotation.
        """
        served, failures = self._store.production, self._production.failures
        if not self._watcher.settled:
            raise DependencyUnavailable("models", "The models in production are being loaded.")
        faults = [
            f"{name} version {failure.version} is in production and could not be loaded ({failure.reason}); "
            + (f"version {served[name].identity.version} is served." if name in served else "nothing is served for it.")
            for name, failure in failures.items()
        ]
        if missing := sorted(self._production.missing):
            faults.append(
                f"Served although no version is in production any more: {', '.join(missing)}. Promote one again."
            )
        if faults:
            raise Degraded(" ".join(faults))
        if not self._production.known:
            return "No model is in production; promote one."
        on_disk = len(self._production.on_disk)
        rest = f", {on_disk} more on disk until they are asked for" if on_disk else ""
        return f"{len(served)} in memory{rest}."
