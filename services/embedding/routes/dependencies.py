"""What routes need of the running service."""

from fastapi import Request

from services.embedding.service import EmbeddingService, service_of


def get_service(request: Request) -> EmbeddingService:
    """Return the running service."""
    return service_of(request.app)
