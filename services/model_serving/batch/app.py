"""The worker as a service: it answers for its health and metrics, and its lifespan works on jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mlplatform.service import Fault, create_service, open_kernel
from services.model_serving.batch.work.worker import working
from services.model_serving.settings import ServingSettings

NAME = "batch"
DESCRIPTION = "Scores the chunks of batch jobs. Jobs are submitted to the serving service."


def create_app(settings: ServingSettings | None = None, fault: Fault | None = None) -> FastAPI:
    """Make the application, which reports a fault when a part of it has ended by itself."""
    settings, fault = settings or ServingSettings(), fault or Fault()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, NAME) as kernel:
            app.state.kernel = kernel
            async with working(kernel, settings, fault):
                yield

    return create_service(
        settings=settings, title="Batch worker", description=DESCRIPTION, lifespan=lifespan, routers=[], name=NAME
    )
