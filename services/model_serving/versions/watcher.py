"""Follows what is in production in the registry.

The registry is polled. An event of a promotion makes this process ask for that one model at once; what the registry
answers counts, not what the event says. A version is loaded and warmed beside the one that serves, then they are
swapped. Whatever goes wrong, the last version that could be loaded serves on.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from structlog import get_logger

from mlplatform.errors import PlatformError
from mlplatform.events import Beat, ModelPromoted, PromotionAnnounced, StreamTail, beside
from mlplatform.registry.model_version import RegisteredModel
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.errors import reason
from services.model_serving.metrics import REGISTRY_REACHABLE
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.loads import Loads
from services.model_serving.versions.production import Production, Wanted

log = get_logger(__name__)


class AliasWatcher:
    """A loop beside the service.

    Args:
        directory: what is polled.
        production: told of what is wanted.
        loads: brings artifacts to the disk before they are needed.
        extras: load what is about to be promoted.
        events: promotions as they happen.
        announcements: promotions that begin.
        interval: between polls.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        production: Production,
        loads: Loads,
        extras: ExtraVersions,
        events: StreamTail,
        announcements: StreamTail,
        interval: timedelta,
    ) -> None:
        self._directory = directory
        self._production = production
        self._loads = loads
        self._extras = extras
        self._events = events
        self._announcements = announcements
        self._beat = Beat(interval)
        self._looked: dict[str, tuple[float, RegisteredModel]] = {}
        self._looking: set[asyncio.Task[None]] = set()
        self._prefetched: set[tuple[str, str]] = set()
        self._restored = False
        self.settled = False
        """Whether what was in production at the first poll, or before a restart without MLflow, was tried."""

    async def run(self) -> None:
        """Poll until stopped."""
        async with beside(self._follow_events()), beside(self._follow_announcements()):
            async for _ in self._beat:
                await self._poll()
        if self._looking:
            await asyncio.wait(self._looking)

    def stop(self) -> None:
        """Let `run` return soon."""
        self._beat.stop()

    async def _follow_events(self) -> None:
        async for event in self._events:
            if event.type == ModelPromoted.event_type:
                promoted = ModelPromoted.from_event(event)
                if not self._directory.covers(promoted.model):
                    continue
                self._production.forgive(promoted.model)
                self._begin(self._look(promoted.model, promoted.version))

    async def _follow_announcements(self) -> None:
        async for event in self._announcements:
            if event.type == PromotionAnnounced.event_type:
                announced = PromotionAnnounced.from_event(event)
                if self._directory.covers(announced.model):
                    self._begin(self._prepare(announced.model, announced.version))

    async def _prepare(self, name: str, number: str) -> None:
        """Load a version beside the one that serves while its gates run, as far as there is room."""
        try:
            _, version = await self._directory.look(name, number)
            if version is not None:
                await self._extras.load(version)
        except PlatformError as error:
            log.info("prepare_failed", model=name, version=number, reason=error.detail)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, name: str, hint: str) -> None:
        """Ask the registry for one model; polls tell of everything that cannot be told here."""
        noticed = time.perf_counter()
        try:
            model, version = await self._directory.look(name, hint)
        except PlatformError as error:
            log.info("look_failed", model=name, reason=error.detail)
            self._beat.wake()
            return
        if version is None or model.aliases.get(PRODUCTION) != version.version:
            self._beat.wake()
            return
        self._looked[name] = time.perf_counter(), model
        self._production.want_one(name, Wanted(version.version, model.created), version, noticed)

    async def _poll(self) -> None:
        begun = time.perf_counter()
        try:
            models = dict(await self._directory.refresh())
        except PlatformError as error:
            REGISTRY_REACHABLE.set(0)
            log.warning("registry_unreachable", reason=error.detail)
            if not self._restored:
                self._restored = True
                await self._production.restore()
                self.settled = bool(self._production.known or self._production.failures)
            return
        REGISTRY_REACHABLE.set(1)
        for name, (at, model) in list(self._looked.items()):
            if at >= begun:  # what the poll found may be older than what this look found
                models[name] = model
            else:
                del self._looked[name]
        self._production.want(
            {name: Wanted(model.aliases[PRODUCTION], model.created) for name, model in models.items()}
        )
        if not self.settled:
            await self._production.settle()
            self.settled = True
        self._begin(self._prefetch())

    async def _prefetch(self) -> None:
        """Bring versions that are staged to the disk: they are what is promoted next."""
        for name, number in self._directory.staged():
            if (name, number) in self._prefetched or self._beat.stopped:
                continue
            self._prefetched.add((name, number))
            try:
                version = await self._directory.version(name, number)
            except PlatformError:
                return
            if (error := await self._loads.prefetch(version)) is not None:
                log.info("prefetch_failed", model=name, version=number, reason=reason(error))
