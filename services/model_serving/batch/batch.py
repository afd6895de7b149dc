"""What the serving service has of batch jobs: it takes them, and shows them; workers do the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel
from services.model_serving.batch.doorbell.bell import Bell
from services.model_serving.batch.doorbell.celery_app import make_celery
from services.model_serving.batch.jobs.freezing import Freezer
from services.model_serving.batch.jobs.jobs import Jobs
from services.model_serving.batch.report.reports import Reports
from services.model_serving.batch.review.reviews import Reviews
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.batch.webhook.webhooks import Webhooks
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.store import LoadedModels


@dataclass(frozen=True, slots=True)
class Batch:
    """Made by the lifespan."""

    jobs: Jobs
    freezer: Freezer
    webhooks: Webhooks
    reviews: Reviews
    reports: Reports


@asynccontextmanager
async def open_batch(
    kernel: Kernel, settings: BatchSettings, *, registry: Registry, directory: Directory, store: LoadedModels
) -> AsyncIterator[Batch]:
    """Open the parts for the time of the block."""
    bell = Bell(make_celery(settings))
    jobs = Jobs(
        kernel.database,
        bell,
        kernel.audit,
        most_items=settings.batch_max_items,
        chunk_items=settings.batch_chunk_items,
    )
    try:
        yield Batch(
            jobs,
            Freezer(directory, store, registry),
            Webhooks(kernel.database, kernel.audit, settings),
            Reviews(kernel.database, kernel.audit),
            Reports(kernel.database),
        )
    finally:
        await bell.close()
