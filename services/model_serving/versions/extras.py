"""Versions outside production, loaded when somebody asks for one."""

import asyncio
import time
from concurrent.futures import Executor

from structlog import get_logger

from mlplatform.registry.model_version import ModelVersion
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import ModelNotLoadedError, reason
from services.model_serving.loading.background import attempt
from services.model_serving.loading.loader import ModelLoader
from services.model_serving.metrics import LOAD_DURATION, LOAD_FAILURES
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.store import LoadedModels

FAILURE_SECONDS = 30.0
MOST_FAILURES = 256

log = get_logger(__name__)


class ExtraVersions:
    """Loads a version once however many ask for it, and remembers for a while that it could not be loaded.

    Args:
        loader: how to load.
        store: where loaded versions go.
        retirement: where the ones that fall out go.
        executor: threads that load.
        patience: seconds a caller waits for a load; it goes on after that.
    """

    def __init__(
        self, loader: ModelLoader, store: LoadedModels, retirement: Retirement, executor: Executor, patience: float
    ) -> None:
        self._loader = loader
        self._store = store
        self._retirement = retirement
        self._executor = executor
        self._patience = patience
        self._loading: dict[tuple[str, str], asyncio.Task[LoadedModel]] = {}
        self._failures: dict[tuple[str, str], tuple[float, str]] = {}

    async def load(self, version: ModelVersion) -> LoadedModel:
        """Return a version, loading it unless it is in memory by now.

        Raises:
            ModelNotLoadedError: it could not be loaded, or it is still being loaded when patience ends.
        """
        key = version.name, version.version
        if (model := self._store.find(*key)) is not None:
            return model
        self._raise_failure(key)
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(version))
            task.add_done_callback(lambda ended: self._forget(key, ended))
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            detail = f"Model {version.name!r} version {version.version} is being loaded; try again shortly."
            raise ModelNotLoadedError(detail)
        return task.result()

    async def close(self) -> None:
        """Wait for the loads under way."""
        if self._loading:
            await asyncio.wait(set(self._loading.values()))

    async def _load(self, version: ModelVersion) -> LoadedModel:
        started = time.perf_counter()
        model = await attempt(self._executor, lambda: self._loader.load(version))
        if isinstance(model, BaseException):
            why = reason(model)
            LOAD_FAILURES.labels(version.name).inc()
            log.warning("model_load_failed", model=version.name, version=version.version, reason=why)
            while len(self._failures) >= MOST_FAILURES:
                del self._failures[next(iter(self._failures))]
            self._failures[version.name, version.version] = time.monotonic() + FAILURE_SECONDS, why
            raise _not_loaded(version.name, version.version, why)
        LOAD_DURATION.labels(version.name).observe(time.perf_counter() - started)
        self._retirement.retire(dropped for dropped in self._store.keep(model) if dropped is not model)
        return model

    def _forget(self, key: tuple[str, str], ended: asyncio.Task[LoadedModel]) -> None:
        del self._loading[key]
        if not ended.cancelled():
            ended.exception()  # seen, also when every caller has left

    def _raise_failure(self, key: tuple[str, str]) -> None:
        until, why = self._failures.get(key, (0.0, ""))
        if time.monotonic() < until:
            raise _not_loaded(*key, why)
        self._failures.pop(key, None)


def _not_loaded(name: str, version: str, why: str) -> ModelNotLoadedError:
    detail = f"Model {name!r} version {version} could not be loaded. {why}"
    return ModelNotLoadedError(detail, retry_after=FAILURE_SECONDS)
