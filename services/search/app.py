"""Composition of the search service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import IndexUpdated, StreamTail, running
from mlplatform.service.factory import create_service
from mlplatform.service.http_client import connect_http
from mlplatform.service.kernel import Kernel, open_kernel
from mlplatform.spaces.indexes.pgvector import ping_pgvector
from services.search.bulk.upload import UploadParts
from services.search.bulk.uploads import Uploads
from services.search.embedding_client import NAME as EMBEDDING
from services.search.embedding_client import EmbeddingClient
from services.search.index import Index
from services.search.lexical import BlockMemory, LexicalLeg, LexicalMaintenance
from services.search.query.cache import RankingCache
from services.search.query.lexical import WordSearch
from services.search.query.page import Pager
from services.search.query.probe import RecallProbe
from services.search.query.ranker import Ranker
from services.search.query.reranking import Reranking
from services.search.query.vector_leg import VectorLeg
from services.search.query.weights import Weights
from services.search.routes import bulk, index, search, states, weights
from services.search.searcher import Searcher
from services.search.settings import SearchSettings
from services.search.states.states import ItemStates
from services.search.watcher import IndexWatcher

NAME = "search"
DESCRIPTION = """Keeps items with their text, metadata and tags, and finds those that answer a query best.

Vectors and words both look, and what they find is fused.

Items are embedded by the embedding service, which they reach by a stream. Every caller sees its own tenant only.
"""


def create_app(settings: SearchSettings | None = None) -> FastAPI:
    """Make the application; nothing is opened before its lifespan starts."""
    settings = settings or SearchSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, NAME) as kernel, connect_http(settings) as http:
            embedding = EmbeddingClient(http, settings)
            watcher = IndexWatcher(StreamTail(kernel.redis, IndexUpdated.event_type))
            app.state.kernel, app.state.settings = kernel, settings
            app.state.index = Index(
                kernel.database, kernel.relay, kernel.audit, watcher, poll_interval=settings.search_poll_interval
            )
            app.state.uploads = Uploads(UploadParts(kernel.database, kernel.relay, settings))
            app.state.item_states = ItemStates(kernel.database, kernel.relay)
            app.state.searcher = compose_searcher(kernel, embedding, settings)
            app.state.weights = Weights(kernel.database, kernel.audit)
            probe = RecallProbe(
                kernel.database,
                interval=settings.search_probe_interval,
                exact_rows=settings.search_exact_rows,
                scan_tuples=settings.search_scan_tuples,
            )
            maintenance = LexicalMaintenance(kernel.database, interval=settings.search_lexical_interval)
            kernel.health.register(EMBEDDING, embedding.ping)
            kernel.health.register("pgvector", lambda: ping_pgvector(kernel.database))
            async with (
                running(watcher, "index watcher") as check_watcher,
                running(maintenance, "lexical maintenance") as check_maintenance,
                running(probe, "recall probe") as check_probe,
            ):
                kernel.health.register("index watcher", check_watcher)
                kernel.health.register("lexical maintenance", check_maintenance)
                kernel.health.register("recall probe", check_probe)
                yield

    return create_service(
        settings=settings,
        title="Search",
        description=DESCRIPTION,
        lifespan=lifespan,
        direct=search.ROUTES,
        routers=[bulk.router, states.router, index.router, weights.router],
        streamed=[bulk.PATH],
        name=NAME,
    )


def compose_searcher(kernel: Kernel, embedding: EmbeddingClient, settings: SearchSettings) -> Searcher:
    """Put together what answers queries."""
    vectors = VectorLeg(kernel.database, exact_rows=settings.search_exact_rows, scan_tuples=settings.search_scan_tuples)
    ranker = Ranker(
        kernel.database,
        embedding,
        vectors,
        WordSearch(LexicalLeg(BlockMemory(settings.search_postings_memory))),
        window=settings.search_candidates,
        few=settings.search_page_candidates,
        patience=settings.search_leg_timeout.total_seconds(),
    )
    return Searcher(
        kernel.database,
        ranker,
        Pager(kernel.database, ranker),
        RankingCache(kernel.redis, settings.search_cache_ttl, entries=settings.search_cache_entries),
        Reranking(kernel.database, embedding, patience=settings.search_rerank_timeout.total_seconds()),
        weight=settings.search_vector_weight,
        rerank=settings.search_rerank,
    )
