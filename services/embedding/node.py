"""One embedding node: loads the model, then takes items from the index stream; waits for whatever is down."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import psycopg
import structlog

from mlplatform.errors import DependencyUnavailable, PlatformError
from mlplatform.events import ReindexRequest, StreamConsumer, running
from mlplatform.events.background import Loop
from mlplatform.events.outage import wait
from mlplatform.registry.registry import Registry
from mlplatform.service.health import Check
from mlplatform.service.kernel import Kernel
from services.embedding import metrics, model_files, registration, repository, spaces
from services.embedding.batcher import Batcher
from services.embedding.consumer import Indexer
from services.embedding.encoding.chooser import Chooser
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.selection import Selection
from services.embedding.errors import ModelNotLoaded
from services.embedding.package import WeightsChangedError
from services.embedding.served_model import ServedModel
from services.embedding.settings import EmbeddingSettings
from services.embedding.spaces import Space
from services.embedding.sweeper import Sweeper

GROUP = "embedding"
"""Consumer group: the nodes share the work."""

log = structlog.get_logger(__name__)


class Node:
    """The state of this process: the model it serves and the space that it fills.

    Args:
        settings: Settings of the service.
        kernel: Postgres, Redis and the relay.
        registry: Where the model is.
    """

    def __init__(self, settings: EmbeddingSettings, kernel: Kernel, registry: Registry) -> None:
        self._settings = settings
        self._kernel = kernel
        self._registry = registry
        self._model: ServedModel | None = None
        self._problem = "it is being loaded"
        self._loop_checks: list[Check] = []
        self._stopping = asyncio.Event()
        self.space: Space | None = None

    @property
    def model(self) -> ServedModel:
        """The model in memory.

        Raises:
            ModelNotLoaded: There is none yet.
        """
        if self._model is None:
            raise ModelNotLoaded(f"The model is not loaded: {self._problem}")
        return self._model

    async def check(self) -> None:
        """Readiness: the model is in memory, its space exists, and the loops run.

        Raises:
            ModelNotLoaded: Model or space are missing, and why.
            RuntimeError: A loop has ended.
        """
        if self.model is not None and self.space is None:
            raise ModelNotLoaded(f"The model has no embedding space yet: {self._problem}")
        for check in self._loop_checks:
            await check()

    def stop(self) -> None:
        """Let `run` return after the work at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Load the model, then embed what is indexed, until stopped."""
        async with AsyncExitStack() as loops:
            space = await self._prepare(loops)
            if space is None:
                return
            kernel, settings = self._kernel, self._settings
            indexer = Indexer(kernel.database, kernel.relay, self.model.batcher, space)
            consumer = StreamConsumer(
                kernel.redis, ReindexRequest.event_type, GROUP, indexer.handle, batch=settings.embedding_stream_batch
            )
            sweeper = Sweeper(
                kernel.database,
                kernel.redis,
                kernel.relay,
                group=GROUP,
                interval=settings.embedding_sweep_interval,
                overdue_after=settings.embedding_sweep_after,
            )
            await self._start(loops, consumer, "index consumer")
            await self._start(loops, sweeper, "sweeper")
            await self._stopping.wait()

    async def _start(self, loops: AsyncExitStack, loop: Loop, name: str) -> None:
        self._loop_checks.append(await loops.enter_async_context(running(loop, name)))

    async def _prepare(self, loops: AsyncExitStack) -> Space | None:
        """Load the model and make sure of its space, for as long as that takes; texts are served in between.

        Args:
            loops: Runs the queue before the model.

        Returns:
            The space that the model fills; None when stopped before.
        """
        while self.space is None and not self._stopping.is_set():
            try:
                self.space = await self._try(loops)
            except (PlatformError, WeightsChangedError, psycopg.Error, OSError, ValueError) as error:
                self._problem = error.detail if isinstance(error, PlatformError) else _words(error)
                log.warning("embedding.not_ready", reason=str(error), error=type(error).__name__)
                await wait(self._stopping, self._settings.embedding_retry_interval)
        return self.space

    async def _try(self, loops: AsyncExitStack) -> Space:
        try:
            active = await spaces.find_active(self._kernel.database)
        except (psycopg.Error, DependencyUnavailable):
            if self._model is None:
                await self._load(loops, None)
            raise
        if self._model is None or (active is not None and active.digest != self._model.digest):
            await self._load(loops, active)
        if active is not None:
            return active
        model = self.model
        return await spaces.create(
            self._kernel.database,
            model=model.name,
            version=model.version,
            digest=model.digest,
            dimension=model.encoder.dimension,
        )

    async def _load(self, loops: AsyncExitStack, active: Space | None) -> None:
        """Load the version in production, or the one that the active space was made with while they differ."""
        await self._register_default()
        files = await self._fetch(None)
        if active is not None and files.digest != active.digest:
            log.warning("embedding.production_differs", production=files.version, served=active.version)
            files = await self._fetch(active.version)
            if files.digest != active.digest:
                raise ModelNotLoaded(
                    f"The index was made with weights {active.digest[:12]} and version {active.version} of "
                    f"{active.model} has others: register those weights again."
                )
        load = partial(
            Encoder.load,
            files.folder,
            token_budget=self._settings.embedding_batch_tokens,
            threads=self._settings.embedding_threads,
        )
        encoder = await asyncio.to_thread(load)
        batcher = Batcher(encoder, max_queued_texts=self._settings.embedding_queued_texts)
        await self._start(loops, batcher, "encoder")
        await self._start(loops, Chooser(encoder, self._selection(files)), "encoder choice")
        self._model = ServedModel(files.version, files.production_version, files.digest, encoder, batcher)
        metrics.MODEL_LOADED.clear()
        metrics.MODEL_LOADED.labels(self._model.name, files.version).set(1)
        log.info("embedding.model_loaded", model=self._model.name, version=files.version, digest=files.digest)

    def _selection(self, files: model_files.ModelFiles) -> Selection:
        return Selection(
            folder=files.folder,
            digest=files.digest,
            cache=self._settings.encoder_cache,
            wanted=self._settings.embedding_backend,
            threads=self._settings.embedding_threads,
            token_budget=self._settings.embedding_batch_tokens,
            gpu_token_budget=self._settings.embedding_gpu_batch_tokens,
        )

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
