"""Composition of the search service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import IndexUpdated, StreamTail, running
from mlplatform.service.factory import create_service
from mlplatform.service.kernel import open_kernel
from services.search.bulk.upload import UploadParts
from services.search.bulk.uploads import Uploads
from services.search.embedding_client import NAME as EMBEDDING
from services.search.embedding_client import EmbeddingClient
from services.search.index import Index
from services.search.routes import bulk, index, search, states
from services.search.searcher import Searcher
from services.search.settings import SearchSettings
from services.search.states.states import ItemStates
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
            app.state.uploads = Uploads(UploadParts(kernel.database, kernel.relay, settings))
            app.state.item_states = ItemStates(kernel.database, kernel.relay)
            app.state.searcher = Searcher(
                kernel.database,
                embedding,
                exact_rows=settings.search_exact_rows,
                scan_tuples=settings.search_scan_tuples,
            )
            kernel.health.register(EMBEDDING, embedding.ping)
            async with running(watcher, "index watcher") as check:
                kernel.health.register("index watcher", check)
                yield

    return create_service(
        settings=settings,
        title="Search",
        description=DESCRIPTION,
        lifespan=lifespan,
        routers=[bulk.router, states.router, index.router, search.router],
        streamed=[bulk.PATH],
        name=NAME,
    )
