"""Keeps in memory what is in production in the registry.

The registry is polled; an event of a promotion only makes the next poll come at once. A version is loaded and warmed
beside the one that serves, then they are swapped. Whatever goes wrong, the last version that could be loaded serves on.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta

from structlog import get_logger

from mlplatform.errors import PlatformError
from mlplatform.events import ModelPromoted, StreamTail
from mlplatform.registry.model_version import RegisteredModel
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.engine.loaded_model import LoadedModel, ModelIdentity
from services.model_serving.errors import reason
from services.model_serving.loading.background import attempt
from services.model_serving.loading.loader import ModelLoader
from services.model_serving.metrics import (
    ALIAS_MISSING,
    LOAD_DURATION,
    LOAD_FAILURES,
    REGISTRY_REACHABLE,
    SWAP_DURATION,
)
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.failures import Failure, failed
from services.model_serving.versions.last_known import LastKnown
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.store import LoadedModels

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the registry says is in production; `created` tells a model apart from a deleted one of the same name."""

    version: str
    created: datetime


class AliasWatcher:
    """A loop beside the service.

    Args:
        registry: knows single versions.
        directory: what is polled.
        loader: how to load.
        store: where versions go.
        retirement: where replaced versions go.
        last_known: what a restart without MLflow starts from.
        executor: threads that load.
        events: promotions as they happen.
        interval: between polls.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        directory: Directory,
        loader: ModelLoader,
        store: LoadedModels,
        retirement: Retirement,
        last_known: LastKnown,
        executor: Executor,
        events: StreamTail,
        interval: timedelta,
    ) -> None:
        self._registry = registry
        self._directory = directory
        self._loader = loader
        self._store = store
        self._retirement = retirement
        self._last_known = last_known
        self._executor = executor
        self._events = events
        self._interval = interval.total_seconds()
        self._wanted: Mapping[str, Wanted] = {}
        self._served: dict[str, Wanted] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._stopped = False
        self._restored = False
        self.failures: dict[str, Failure] = {}
        self.missing: frozenset[str] = frozenset()
        self.settled = False

    async def run(self) -> None:
        """Poll until stopped."""
        tail = asyncio.create_task(self._follow_events())
        while not self._stopped:
            self._wake.clear()
            await self._sync()
            try:
                await asyncio.wait_for(self._wake.wait(), self._interval)
            except TimeoutError:
                continue
        while not tail.done():  # asyncio.wait_for of Python 3.11, which the Redis client uses, can lose a cancellation
            tail.cancel()
            await asyncio.wait({tail}, timeout=1.0)
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    def stop(self) -> None:
        """Let `run` return soon."""
        self._stopped = True
        self._wake.set()

    async def _follow_events(self) -> None:
        async for event in self._events:
            if event.type == ModelPromoted.event_type:
                self.failures.pop(ModelPromoted.from_event(event).model, None)
                self._wake.set()

    async def _sync(self) -> None:
        noticed = time.perf_counter()
        try:
            models = await self._directory.refresh()
        except PlatformError as error:
            REGISTRY_REACHABLE.set(0)
            log.warning("registry_unreachable", reason=error.detail)
            if not self._restored:
                self._restored = True
                await self._restore()
            return
        REGISTRY_REACHABLE.set(1)
        self._wanted = {name: Wanted(model.aliases[PRODUCTION], model.created) for name, model in models.items()}
        self._note_missing(models)
        for name, wanted in self._wanted.items():
            self._ensure(name, wanted, noticed)
        if not self.settled:
            await asyncio.gather(*self._tasks.values())
            self.settled = True

    def _ensure(self, name: str, wanted: Wanted, noticed: float) -> None:
        if self._served.get(name) == wanted:
            self.failures.pop(name, None)
            return
        failure = self.failures.get(name)
        if failure is not None and failure.version == wanted.version and failure.seconds_left:
            return
        if name not in self._tasks:
            task = asyncio.create_task(self._bring_in(name, wanted, noticed))
            self._tasks[name] = task
            task.add_done_callback(lambda _: self._tasks.pop(name))

    async def _bring_in(self, name: str, wanted: Wanted, noticed: float) -> None:
        present = self._store.production.get(name)
        model = await attempt(self._executor, lambda: self._load(name, wanted.version, present))
        if isinstance(model, BaseException):
            LOAD_FAILURES.labels(name).inc()
            self.failures[name] = failed(self.failures.get(name), wanted.version, reason(model), self._interval)
            log.error("model_load_failed", model=name, version=wanted.version, reason=self.failures[name].reason)
            return
        self.failures.pop(name, None)
        if self._wanted.get(name) != wanted:  # promoted or rolled back meanwhile; the next poll brings in the other
            self._wake.set()
            return
        self._served[name] = wanted
        if model is self._store.production.get(name):
            return
        self._retirement.retire(self._store.swap(model))
        LOAD_DURATION.labels(name).observe(model.report.seconds)
        SWAP_DURATION.labels(name).observe(time.perf_counter() - noticed)
        log.info("model_served", model=name, version=wanted.version, path=model.report.path)
        await self._remember()

    def _load(self, name: str, version: str, present: LoadedModel | None) -> LoadedModel:
        found = self._registry.get_version(name, version)
        same = present is not None and present.identity.version == version and found.digest is not None
        if present is not None and same and present.identity.digest == found.digest:
            return present  # restored from disk, or deleted and registered anew with the same artifacts
        return self._loader.load(found)

    def _note_missing(self, models: Mapping[str, RegisteredModel]) -> None:
        missing = frozenset(self._store.production) - frozenset(models)
        for name in missing - self.missing:
            log.error("alias_missing", model=name, serving=self._store.production[name].identity.version)
        for name in missing | self.missing:
            ALIAS_MISSING.labels(name).set(int(name in missing))
        self.missing = missing

    async def _restore(self) -> None:
        """Serve what was in production before a restart, from the artifacts on disk."""
        for identity in await asyncio.to_thread(self._last_known.read):
            if identity.name not in self._store.production:
                await self._restore_one(identity)

    async def _restore_one(self, identity: ModelIdentity) -> None:
        model = await attempt(self._executor, lambda: self._loader.load_cached(identity))
        if isinstance(model, BaseException):
            self.failures[identity.name] = failed(None, identity.version, reason(model), self._interval)
            log.error("model_load_failed", model=identity.name, version=identity.version, reason=reason(model))
            return
        self._store.swap(model)
        log.warning("model_restored", model=identity.name, version=identity.version)

    async def _remember(self) -> None:
        async with self._writing:
            models = [model.identity for model in self._store.production.values()]
            try:
                await asyncio.to_thread(self._last_known.write, models)
            except OSError as error:  # a restart would need MLflow; nothing else depends on the file
                log.warning("last_known_not_written", cause=type(error).__name__)
