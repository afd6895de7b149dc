"""Both services with small models of their own weights, as processes would run them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn

from mlplatform.database import Database
from services.embedding.app import create_app as create_embedding
from services.embedding.node import Node
from services.embedding.settings import EmbeddingSettings
from services.search.app import create_app as create_search
from services.search.settings import SearchSettings
from services.search.spaces import QueryEmbedder
from tests.fixtures.listener import listening
from tests.integration.embedding.tiny import Embedders, embedders
from tests.integration.embedding.waiting import eventually

__all__ = ["embedders"]


@dataclass(frozen=True)
class Platform:
    """Both services, and what stands behind them.

    Attributes:
        search: Calls the search service.
        embedding: Calls the embedding service.
        node: The embedding node.
        embedders: Versions of its model; the first is in production.
        database: Postgres as the services see it.
        environment: Of a command.
        embedder: Embeds queries within the search service.
    """

    search: httpx.AsyncClient
    embedding: httpx.AsyncClient
    node: Node
    embedders: Embedders
    database: Database
    environment: dict[str, str]
    embedder: QueryEmbedder


@pytest.fixture
async def platform(
    settings_env, embedders: Embedders, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> AsyncIterator[Platform]:
    with listening() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = settings_env | {
            "ML_HOME": str(tmp_path),
            "ML_EMBEDDING_URL": url,
            "ML_RATE_LIMIT_ENABLED": "false",
            "ML_OTLP_ENDPOINT": "",
            "ML_EMBEDDING_SPACE_INTERVAL": "100ms",
            "ML_EMBEDDING_PROMOTION_INTERVAL": "200ms",
            "ML_EMBEDDING_FILL_RATE": "0",
            "ML_EMBEDDING_FILL_RECHECK": "500ms",
            "ML_EMBEDDING_THREADS": "1",
            "ML_EMBEDDING_BACKEND": "torch-fp32",
            "ML_EMBEDDING_CACHE_ENTRIES": "0",
            "ML_SEARCH_CACHE_TTL": "0s",
            "ML_SEARCH_LEG_TIMEOUT": "60s",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        embedding = create_embedding(EmbeddingSettings())
        server = uvicorn.Server(uvicorn.Config(embedding, log_config=None, ws="none"))
        serving = asyncio.create_task(server.serve([listener]))
        search = create_search(SearchSettings())
        async with (
            httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as embedding_client,
            search.router.lifespan_context(search),
            httpx.AsyncClient(transport=httpx.ASGITransport(search), base_url="http://search", timeout=60) as client,
        ):

            async def ready() -> bool:
                try:
                    return (await embedding_client.get("/health/ready")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(ready)
            yield Platform(
                client,
                embedding_client,
                embedding.state.service.node,
                embedders,
                search.state.kernel.database,
                environment,
                search.state.searcher._ranker._embedder,
            )
        server.should_exit = True
        await serving
