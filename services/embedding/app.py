"""Composition of the embedding service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import running
from mlplatform.registry.registry import Registry
from mlplatform.service.factory import create_service
from mlplatform.service.kernel import open_kernel
from services.embedding.node import Node
from services.embedding.routes import embed, models
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
            app.state.kernel, app.state.node, app.state.settings = kernel, node, settings
            kernel.health.register("mlflow", lambda: asyncio.to_thread(registry.ping))
            kernel.health.register("s3", kernel.objects.ping)
            kernel.health.register("model", node.check)
            async with running(node, "embedding node") as check:
                kernel.health.register("embedding node", check)
                yield

    return create_service(
        settings=settings,
        title="Embedding",
        description=DESCRIPTION,
        lifespan=lifespan,
        routers=[embed.router, models.router],
        name=NAME,
    )
