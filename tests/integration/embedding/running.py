"""The routes of the service over an encoder without a model, on a Redis of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from mlplatform.events import running
from mlplatform.registry.registry import Registry
from mlplatform.service.factory import create_service
from mlplatform.service.kernel import open_kernel
from services.embedding import openai
from services.embedding.batcher import Batcher
from services.embedding.cache import VectorCache
from services.embedding.embedder import Embedder
from services.embedding.jobs.jobs import Jobs
from services.embedding.jobs.worker import JobWorker
from services.embedding.reranking.reranker import Reranker
from services.embedding.routes import embed, jobs, models
from services.embedding.served_model import ServedModel
from services.embedding.service import EmbeddingService
from services.embedding.settings import EmbeddingSettings
from tests.unit.embedding.encoders import WordEncoder


@dataclass(frozen=True)
class LoadedNode:
    """A node that has its model. Stands in for `Node`."""

    model: ServedModel
    space: None = None

    @property
    def models(self) -> list[ServedModel]:
        return [self.model]

    def find(self, digest: str | None) -> ServedModel:
        assert digest in {None, self.model.digest}
        return self.model


@dataclass(frozen=True)
class Running:
    """A running service.

    Attributes:
        app: To be called without a socket, or served on one.
        client: Calls it without one.
    """

    app: FastAPI
    client: httpx.AsyncClient
    encoder: WordEncoder
    batcher: Batcher
    cache: VectorCache = field(repr=False)


@asynccontextmanager
async def serve(settings: EmbeddingSettings, encoder: WordEncoder) -> AsyncIterator[Running]:
    """Run the service for the time of the block."""
    batcher = Batcher(encoder, max_queued_texts=settings.embedding_queued_texts)
    model = ServedModel("3", "3", "d" * 64, encoder, batcher)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, "test") as kernel, running(batcher, "encoder"):
            cache = VectorCache(
                kernel.redis, entries=settings.embedding_cache_entries, ttl=settings.embedding_cache_ttl
            )
            app.state.kernel = kernel
            worker = JobWorker(
                kernel.database, kernel.objects, lambda: model, characters=settings.embedding_text_characters
            )
            app.state.service = EmbeddingService(
                settings,
                LoadedNode(model),
                Embedder(cache),
                Jobs(kernel.database, kernel.objects, worker),
                Reranker(settings, Registry(settings.mlflow_url)),
                1_700_000_000,
            )
            async with running(worker, "embedding jobs"):
                yield
            await cache.close()

    app = create_service(
        settings=settings,
        title="Embedding",
        description="Tested.",
        lifespan=lifespan,
        routers=[models.router, jobs.router],
        direct=[*embed.ROUTES, *openai.ROUTES],
        name="embedding",
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://embedding") as client,
    ):
        yield Running(app, client, encoder, batcher, app.state.service.embedder.cache)
