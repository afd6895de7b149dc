"""Composition of the embedding service."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import running
from mlplatform.registry.registry import Registry
from mlplatform.service.factory import create_service
from mlplatform.service.kernel import open_kernel
from services.embedding import openai
from services.embedding.cache import VectorCache
from services.embedding.embedder import Embedder
from services.embedding.jobs.jobs import Jobs
from services.embedding.jobs.worker import JobWorker
from services.embedding.node import Node
from services.embedding.reranking.reranker import Reranker
from services.embedding.routes import embed, models, rerank, spaces
from services.embedding.routes import jobs as jobs_routes
from services.embedding.service import EmbeddingService
from services.embedding.settings import EmbeddingSettings

NAME = "embedding"
DESCRIPTION = """Turns text into vectors, and fills the vector index.

The model comes from the registry (`models:/text-embedder@production`). Items that are indexed through the search
service arrive here by a stream; their vectors go to Postgres.
"""


def create_app(settings: EmbeddingSettings | None = None) -> FastAPI:
    """Make the application; nothing is opened before its lifespan starts."""
    settings = settings or EmbeddingSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        registry = Registry(settings.mlflow_url)
        async with open_kernel(settings, NAME) as kernel:
            node = Node(settings, kernel, registry)
            cache = VectorCache(
                kernel.redis, entries=settings.embedding_cache_entries, ttl=settings.embedding_cache_ttl
            )
            worker = JobWorker(
                kernel.database,
                kernel.objects,
                lambda: node.model,
                characters=settings.embedding_text_characters,
                retention=settings.embedding_job_retention,
            )
            jobs = Jobs(kernel.database, kernel.objects, worker, most=settings.embedding_jobs_per_tenant)
            app.state.kernel = kernel
            reranker = Reranker(settings, registry)
            app.state.service = EmbeddingService(settings, node, Embedder(cache), jobs, reranker, int(time.time()))
            kernel.health.register("mlflow", lambda: asyncio.to_thread(registry.ping))
            kernel.health.register("s3", kernel.objects.ping)
            kernel.health.register("model", node.check)
            async with (
                running(node, "embedding node") as check,
                running(worker, "embedding jobs") as check_jobs,
                running(reranker, "re-ranker") as check_reranker,
            ):
                kernel.health.register("embedding node", check)
                kernel.health.register("embedding jobs", check_jobs)
                kernel.health.register("re-ranker", check_reranker)
                yield
                await cache.close()

    return create_service(
        settings=settings,
        title="Embedding",
        description=DESCRIPTION,
        lifespan=lifespan,
        routers=[models.router, spaces.router, jobs_routes.router],
        direct=[*embed.ROUTES, *rerank.ROUTES, *openai.ROUTES],
        name=NAME,
    )
