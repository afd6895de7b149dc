"""One embedding node: loads models, then takes items from the index streams; waits for whatever is down."""

import asyncio
import os
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from uuid import uuid4

import psycopg
import structlog

from mlplatform.errors import DependencyUnavailable, PlatformError
from mlplatform.events import BulkReindexRequest, CloudEvent, FillRequest, ReindexRequest, StreamConsumer, running
from mlplatform.events.background import Loop
from mlplatform.events.outage import wait
from mlplatform.registry.registry import Registry
from mlplatform.service.health import Check
from mlplatform.service.kernel import Kernel
from services.embedding import model_files, registration, repository, spaces
from services.embedding.consumer import Indexer
from services.embedding.errors import ModelNotLoaded, WeightsNotServed
from services.embedding.filling.filler import Filler
from services.embedding.filling.requests import RequestFiller
from services.embedding.following import Follower
from services.embedding.keeper import Keeper
from services.embedding.package import WeightsChangedError
from services.embedding.served_model import ServedModel, Target
from services.embedding.settings import EmbeddingSettings
from services.embedding.shelf import Shelf
from services.embedding.spaces import Space
from services.embedding.sweeper import Sweeper

GROUP = "embedding"
"""Consumer group: the nodes share the work."""
BULK_EVENTS = 16
"""Events of many items taken at once."""

log = structlog.get_logger(__name__)


class Node:
    """The state of this process: the models it serves and the spaces that it fills.

    Args:
        settings: Settings of the service.
        kernel: Postgres, Redis and the relay.
        registry: Where the models are.
    """

    def __init__(self, settings: EmbeddingSettings, kernel: Kernel, registry: Registry) -> None:
        self._settings = settings
        self._kernel = kernel
        self._registry = registry
        self._shelf = Shelf(settings)
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.keeper = Keeper(settings, kernel.database, registry, self._shelf, name)
        self._filler = Filler(
            kernel.database,
            lambda: self.keeper.holdings.others,
            name,
            rate=settings.embedding_fill_rate,
            recheck=settings.embedding_fill_recheck,
        )
        # Only its name: the model is the shelf's, which frees it when no space needs it any more.
        self._first: tuple[Space | None, str | None] = (None, None)
        self._problem = "it is being loaded"
        self._loop_checks: list[Check] = []
        self._stopping = asyncio.Event()

    @property
    def space(self) -> Space | None:
        """The space that is searched, as far as this node knows."""
        active = self.keeper.holdings.active
        return self._first[0] if active is None else active.space

    @property
    def model(self) -> ServedModel:
        """The model that queries are embedded with.

        Raises:
            ModelNotLoaded: There is none yet.
        """
        space = self.space
        model = None if space is None else self._shelf.find(space.digest)
        model = model or self._first_model
        if model is None:
            raise ModelNotLoaded(f"The model is not loaded: {self.keeper.problem or self._problem}")
        return model

    @property
    def models(self) -> list[ServedModel]:
        """The models in memory, the one that queries are embedded with first.

        Raises:
            ModelNotLoaded: There is none yet.
        """
        first = self.model
        return [first, *(model for model in self._shelf if model is not first)]

    def find(self, digest: str | None) -> ServedModel:
        """Return the model with these weights; the one that queries are embedded with for none.

        Raises:
            ModelNotLoaded: There is no model yet.
            WeightsNotServed: None has these weights.
        """
        model = self.model
        if digest is None or digest == model.digest:
            return model
        found = self._shelf.find(digest)
        if found is None:
            self.keeper.wake()  # it may belong to a space that this node has not seen yet
            raise WeightsNotServed("No model with these weights is in memory; GET /api/v1/models lists those that are.")
        return found

    async def check(self) -> None:
        """Readiness: the model is in memory, its space exists, and the loops run.

        Raises:
            ModelNotLoaded: Model or space are missing, and why.
            RuntimeError: A loop has ended.
        """
        if self.model is not None and self.space is None:
            raise ModelNotLoaded(f"The model has no embedding space yet: {self._problem}")
        if self.keeper.problem is not None:
            raise ModelNotLoaded(f"Queries cannot be embedded: {self.keeper.problem}; see mlp spaces list.")
        await self._shelf.check()
        for check in self._loop_checks:
            await check()

    def stop(self) -> None:
        """Let `run` return after the work at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Load the model, then embed what is indexed, until stopped."""
        async with AsyncExitStack() as loops:
            loops.push_async_callback(self._shelf.close)
            if await self._prepare() is None:
                return
            kernel, settings = self._kernel, self._settings
            # Fewer events of many items at once: what a node has taken the others do not see.
            consumers = (
                ("index consumer", ReindexRequest, self._index, settings.embedding_stream_batch),
                ("bulk index consumer", BulkReindexRequest, self._index, BULK_EVENTS),
                ("fill consumer", FillRequest, RequestFiller(kernel.database, self._targets).handle, BULK_EVENTS),
            )
            for name, event, handler, batch in consumers:
                await self._start(
                    loops, StreamConsumer(kernel.redis, event.event_type, GROUP, handler, batch=batch), name
                )
            sweeper = Sweeper(
                kernel.database,
                kernel.redis,
                kernel.relay,
                group=GROUP,
                interval=settings.embedding_sweep_interval,
                overdue_after=settings.embedding_sweep_after,
            )
            await self._start(loops, sweeper, "sweeper")
            await self._start(loops, self._filler, "space filler")
            await self._start(loops, self.keeper, "space keeper")
            if settings.embedding_space_switch == "auto":
                follower = Follower(
                    kernel.database,
                    recall=settings.embedding_space_recall,
                    interval=settings.embedding_space_interval,
                )
                await self._start(loops, follower, "space follower")
            await self._stopping.wait()

    async def _index(self, events: Sequence[CloudEvent]) -> None:
        """Embed the items of some events for every space that there is at this moment."""
        first, *others = self._targets()
        indexer = Indexer(self._kernel.database, self._kernel.relay, first.batcher, first.space, others)
        await indexer.handle(events)

    def _targets(self) -> list[Target]:
        """Return the spaces to fill, the one that is searched first.

        Raises:
            ModelNotLoaded: The model of none is in memory.
        """
        holdings = self.keeper.holdings
        if holdings.active is not None:
            return [holdings.active, *holdings.others]
        space, model = self._first[0], self._first_model
        if space is None or model is None:
            raise ModelNotLoaded(f"The model is not loaded: {self.keeper.problem or self._problem}")
        return [Target(space, model.batcher), *(other for other in holdings.others if other.space.id != space.id)]

    @property
    def _first_model(self) -> ServedModel | None:
        """The model that was loaded first, for as long as it is in memory."""
        digest = self._first[1]
        return None if digest is None else self._shelf.find(digest)

    async def _start(self, loops: AsyncExitStack, loop: Loop, name: str) -> None:
        self._loop_checks.append(await loops.enter_async_context(running(loop, name)))

    async def _prepare(self) -> Space | None:
        """Load the model and make sure of its space, for as long as that takes; texts are served in between.

        Returns:
            The space that the model fills; None when stopped before.
        """
        while self._first[0] is None and not self._stopping.is_set():
            try:
                self._first = (await self._try(), self._first[1])
            except (PlatformError, WeightsChangedError, psycopg.Error, OSError, ValueError) as error:
                self._problem = error.detail if isinstance(error, PlatformError) else _words(error)
                log.warning("embedding.not_ready", reason=str(error), error=type(error).__name__)
                await wait(self._stopping, self._settings.embedding_retry_interval)
        return self._first[0]

    async def _try(self) -> Space:
        try:
            active = await spaces.find_active(self._kernel.database)
        except (psycopg.Error, DependencyUnavailable):
            if self._first_model is None:
                await self._load(None)
            raise
        model = self._first_model
        if model is None or (active is not None and active.digest != model.digest):
            model = await self._load(active)
        if active is not None:
            return active
        return await spaces.create(
            self._kernel.database,
            model=model.name,
            version=model.version,
            digest=model.digest,
            dimension=model.encoder.dimension,
        )

    async def _load(self, active: Space | None) -> ServedModel:
        """Load the version in production, or the one that the active space was made with while they differ."""
        await self._register_default()
        files = await self._fetch(None)
        if active is not None and files.digest != active.digest:
            log.info("embedding.production_differs", production=files.version, served=active.version)
            files = await self._fetch(active.version)
            if files.digest != active.digest:
                raise ModelNotLoaded(
                    f"The index was made with weights {active.digest[:12]} and version {active.version} of "
                    f"{active.model} has others: register those weights again."
                )
        model = await self._shelf.load(files, needed=True)
        self._first = (self._first[0], model.digest)
        return model

    async def _fetch(self, version: str | None) -> model_files.ModelFiles:
        return await asyncio.to_thread(model_files.fetch, self._registry, self._settings.model_cache, version)

    async def _register_default(self) -> None:
        try:
            if await asyncio.to_thread(registration.is_registered, self._registry):
                return
        except PlatformError:
            return  # the registry is down; what it gave last time may do
        async with self._kernel.database.transaction() as connection:
            await repository.lock_registration(connection)
            if not await asyncio.to_thread(registration.is_registered, self._registry):
                await asyncio.to_thread(registration.register_default_model, self._registry)


def _words(error: Exception) -> str:
    """What a caller may read: messages of drivers hold addresses."""
    if isinstance(error, psycopg.Error):
        return "postgres is unavailable or not migrated."
    if isinstance(error, WeightsChangedError):
        return str(error)
    return f"loading failed with {type(error).__name__}; the log has more."
