"""The re-ranker in production, if there is one: kept in memory, and a queue before it."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import structlog

from mlplatform.embedders.errors import EmbedderError
from mlplatform.errors import PlatformError
from mlplatform.events import Beat
from mlplatform.registry.cache import ArtifactCache
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from mlplatform.rerankers.folder import check_folder
from mlplatform.rerankers.loading import load
from mlplatform.rerankers.publishing import MODEL_FOLDER
from services.embedding import metrics
from services.embedding.errors import EncodingFailedError, NoReranker, QueueFull, RerankerNotLoaded
from services.embedding.reranking.cross_encoder import LoadedReranker, Scores, batches
from services.embedding.settings import EmbeddingSettings

log = structlog.get_logger(__name__)


class Reranker:
    """Loads what is promoted, and scores one request after another, on a thread beside that of the encoder.

    Without a version in production there is no re-ranker, and that is no fault of the service: it stays ready.

    Args:
        settings: Settings of the service.
        registry: Where the models are.
    """

    def __init__(self, settings: EmbeddingSettings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry
        self._beat = Beat(settings.embedding_promotion_interval)
        self._loaded: LoadedReranker | None = None
        self._problem: str | None = "it has not been looked for yet"
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reranker")

    @property
    def loaded(self) -> LoadedReranker | None:
        """The version in memory."""
        return self._loaded

    @property
    def problem(self) -> str | None:
        """Why none is, or why not the one in production; None when all is as it should be."""
        return self._problem

    def stop(self) -> None:
        """Let `run` return."""
        self._beat.stop()

    async def run(self) -> None:
        """Follow what is in production until stopped."""
        with self._thread:
            async for _ in self._beat:
                await self.look()

    async def look(self) -> None:
        """Look once which version is in production, and load it; whatever goes wrong, the one in memory stays."""
        name = self._settings.embedding_reranker
        try:
            version = await asyncio.to_thread(self._registry.find_alias, name, PRODUCTION)
        except ModelNotFound:
            version = None
        except PlatformError as error:
            self._note(None if self._loaded else error.detail)
            return
        if version is None:
            self._loaded = None
            self._note(None)
            return
        if self._loaded is not None and self._loaded.version == version:
            self._note(None)
            return
        # Whatever is wrong with a promoted version's files must not end the service.
        (found,) = await asyncio.gather(asyncio.to_thread(self._load, name, version), return_exceptions=True)
        if isinstance(found, BaseException):
            self._note(_words(found), found)
            return
        self._loaded = found
        self._note(None)
        log.info("embedding.reranker_loaded", model=name, version=version, digest=found.digest)

    def get(self) -> LoadedReranker:
        """Return the version in memory.

        Raises:
            NoReranker: None is in production.
            RerankerNotLoaded: It could not be loaded, or has not been yet.
        """
        if self._loaded is not None:
            return self._loaded
        if self._problem is None:
            raise NoReranker(self._settings.embedding_reranker)
        raise RerankerNotLoaded(self._problem)

    async def score(self, reranker: LoadedReranker, query: str, documents: Sequence[str]) -> Scores:
        """Score documents; who cancels this leaves the queue, or ends the work after the batch at hand.

        Raises:
            QueueFull: Too many documents wait already.
            EncodingFailedError: The model failed on these texts.
        """
        limit = self._settings.embedding_rerank_queue
        if self._waiting and self._waiting + len(documents) > limit:
            metrics.REFUSED.labels("rerank").inc()
            raise QueueFull
        self._waiting += len(documents)
        try:
            async with self._turn:
                return await self._score(reranker, query, documents)
        finally:
            self._waiting -= len(documents)

    async def _score(self, reranker: LoadedReranker, query: str, documents: Sequence[str]) -> Scores:
        loop = asyncio.get_running_loop()
        scores = np.empty(len(documents), dtype=np.float64)
        for batch in batches(documents):
            texts = [documents[row] for row in batch]
            try:
                scores[batch] = await loop.run_in_executor(self._thread, partial(reranker.forward, query, texts))
            except (RuntimeError, ValueError, IndexError, MemoryError) as error:
                raise EncodingFailedError(f"The re-ranker failed with {type(error).__name__}.") from error
        if not np.isfinite(scores).all():
            raise EncodingFailedError("The re-ranker gave no finite score for a text.")
        metrics.RERANKED_TEXTS.inc(len(documents))
        return scores

    def _load(self, name: str, version: str) -> LoadedReranker:
        found = self._registry.get_version(name, version)
        folder = self._registry.fetch(found, ArtifactCache(self._settings.model_cache)) / MODEL_FOLDER
        check_folder(folder)
        return LoadedReranker(name, version, found.digest or "", load(folder))

    def _note(self, problem: str | None, error: BaseException | None = None) -> None:
        if problem is not None and problem != self._problem:
            log.warning("embedding.reranker_not_loaded", reason=problem, exc_info=error)
        self._problem = problem


def _words(error: BaseException) -> str:
    """What a caller may read."""
    if isinstance(error, PlatformError):
        return error.detail
    if isinstance(error, EmbedderError):
        return str(error)
    return f"loading failed with {type(error).__name__}; the log has more"
