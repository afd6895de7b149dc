"""The search service over HTTP, and an embedding node with a fast encoder that takes what it indexes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mlplatform.events import BulkReindexRequest, ReindexRequest, StreamConsumer, running
from mlplatform.service.kernel import Kernel
from services.embedding import spaces
from services.embedding.batcher import Batcher
from services.embedding.consumer import Indexer
from services.embedding.spaces import Space
from services.search.app import create_app
from services.search.query.proposal import Proposal
from services.search.query.ranker import Ranker
from services.search.settings import SearchSettings
from tests.integration.search.api import SearchApi
from tests.integration.search.embedding_server import DIGEST, EmbeddingServer, serving
from tests.unit.embedding.encoders import DIMENSION, WordEncoder

SECRET = "a secret for tests only, long enough"


@pytest.fixture(scope="module")
def listening() -> Iterator[EmbeddingServer]:
    with serving() as server:
        yield server


@pytest.fixture
def embedding_server(listening: EmbeddingServer) -> Iterator[EmbeddingServer]:
    """Return the embedding service as it began, whatever the test before has made of it."""
    listening.reset()
    yield listening
    listening.reranking.set()  # nobody waits on after the test


@pytest.fixture
def settings(
    settings_env: dict[str, str], embedding_server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> SearchSettings:
    """Settings with authentication on, since tenants come from tokens, with little to compare exactly, and with few
    candidates, so that pages go beyond them."""
    changed = {
        "ML_HOME": str(tmp_path),
        "ML_EMBEDDING_URL": embedding_server.url,
        "ML_AUTH_ENABLED": "true",
        "ML_JWT_SECRET": SECRET,
        "ML_RATE_LIMIT_ENABLED": "false",
        "ML_OTLP_ENDPOINT": "",
    }
    for name, value in (settings_env | changed).items():
        monkeypatch.setenv(name, value)
    return SearchSettings(search_exact_rows=50, search_candidates=30)


@pytest.fixture
async def app(settings: SearchSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def kernel(app: FastAPI) -> Kernel:
    return app.state.kernel


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://search", timeout=60) as client:
        yield client


@pytest.fixture
def api(client: httpx.AsyncClient, settings: SearchSettings) -> SearchApi:
    """The API as the tenant `acme` sees it."""
    return SearchApi(client, settings, "acme")


@pytest.fixture
async def space(kernel: Kernel) -> Space:
    return await spaces.create(kernel.database, model="text-embedder", version="1", digest=DIGEST, dimension=DIMENSION)


@pytest.fixture
async def node(kernel: Kernel, space: Space) -> AsyncIterator[Batcher]:
    """Embed what is indexed while the test runs."""
    batcher = Batcher(WordEncoder(), max_queued_texts=1000)
    indexer = Indexer(kernel.database, kernel.relay, batcher, space)
    consumers = [
        StreamConsumer(kernel.redis, kind.event_type, "embedding", indexer.handle)
        for kind in (ReindexRequest, BulkReindexRequest)
    ]
    async with running(batcher, "encoder"), running(consumers[0], "consumer"), running(consumers[1], "bulk consumer"):
        yield batcher


@pytest.fixture
def quick_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have words found before vectors are searched."""
    search = Ranker._search_vectors

    async def search_after(*given: Any, words: asyncio.Task[Proposal], **more: Any) -> Proposal:
        await asyncio.wait([words])
        return await search(*given, words=words, **more)

    monkeypatch.setattr(Ranker, "_search_vectors", search_after)
