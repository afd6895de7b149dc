"""The running service, as its routes use it."""

from dataclasses import dataclass

from fastapi import FastAPI

from services.embedding.embedder import Embedder
from services.embedding.jobs.jobs import Jobs
from services.embedding.node import Node
from services.embedding.reranking.reranker import Reranker
from services.embedding.settings import EmbeddingSettings


@dataclass(frozen=True, slots=True)
class EmbeddingService:
    """What the routes need; `app.state.service` of a running service.

    Attributes:
        settings: Settings of the service.
        node: The model in memory.
        embedder: Turns texts into vectors.
        jobs: Large inputs.
        reranker: Orders documents.
        started: When, in seconds since 1970.
    """

    settings: EmbeddingSettings
    node: Node
    embedder: Embedder
    jobs: Jobs
    reranker: Reranker
    started: int


def service_of(app: FastAPI) -> EmbeddingService:
    """Return the running service."""
    service = app.state.service
    if not isinstance(service, EmbeddingService):
        raise TypeError("the lifespan of the service has not set app.state.service")
    return service
