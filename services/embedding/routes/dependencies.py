"""What routes need of the running service."""

from fastapi import Request

from services.embedding.jobs.jobs import Jobs
from services.embedding.service import EmbeddingService, service_of


def get_service(request: Request) -> EmbeddingService:
    """Return the running service."""
    return service_of(request.app)


def get_jobs(request: Request) -> Jobs:
    """Return the jobs."""
    return service_of(request.app).jobs
