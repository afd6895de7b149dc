"""Composition of the search service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import IndexUpdated, StreamTail, running
from mlplatform.service.factory import create_service
from mlplatform.service.kernel import open_kernel
from services.search.embedding_client import NAME as EMBEDDING
from services.search.embedding_client import EmbeddingClient
from services.search.index import Index
from services.search.lexical import LexicalMaintenance
from services.search.routes import index, search
from services.search.searcher import Searcher
from services.search.settings import SearchSettings
from services.search.watcher import IndexWatcher

NAME = "search"
DESCRIPTION = """Keeps items with their text, metadata and tags, and finds those nearest to a query.

Items are embedded by the embedding service, which they reach by a stream. Every caller sees its own tenant only.
"""


def create_app(settings: SearchSettings | None = None) -> FastAPI:
    """Make the application; nothing is opened before its lifespan starts."""
    settings = settings or SearchSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, NAME) as kernel:
            embedding = EmbeddingClient(kernel.http, settings)
            watcher = IndexWatcher(StreamTail(kernel.redis, IndexUpdated.event_type))
            app.state.kernel, app.state.settings = kernel, settings
            app.state.index = Index(
                kernel.database, kernel.relay, kernel.audit, watcher, poll_interval=settings.search_poll_interval
            )
            app.state.searcher = Searcher(
                kernel.database,
                embedding,
                exact_rows=settings.search_exact_rows,
                scan_tuples=settings.search_scan_tuples,
            )
            maintenance = LexicalMaintenance(kernel.database, interval=settings.search_lexical_interval)
            kernel.health.register(EMBEDDING, embedding.ping)
            async with (
                running(watcher, "index watcher") as check_watcher,
                running(maintenance, "lexical maintenance") as check_maintenance,
            ):
                kernel.health.register("index watcher", check_watcher)
                kernel.health.register("lexical maintenance", check_maintenance)
                yield

    return create_service(
        settings=settings,
        title="Search",
        description=DESCRIPTION,
        lifespan=lifespan,
        routers=[index.router, search.router],
        name=NAME,
    )
