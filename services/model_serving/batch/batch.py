"""What the serving service has of batch jobs: it takes them, and shows them; workers do the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel
from services.model_serving.batch.doorbell.bell import Bell
from services.model_serving.batch.doorbell.celery_app import make_celery
from services.model_serving.batch.exports.exports import Exports
from services.model_serving.batch.exports.pages import Pages
from services.model_serving.batch.jobs.freezing import Freezer
from services.model_serving.batch.jobs.jobs import Jobs
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.report.reports import Reports
from services.model_serving.batch.review.reviews import Reviews
from services.model_serving.batch.settings import BatchSettings
from services.model_serving.batch.tables.tables import Tables
from services.model_serving.batch.uploads.arrival import Arrivals
from services.model_serving.batch.uploads.desk import Uploads
from services.model_serving.batch.uploads.limits import limits_of
from services.model_serving.batch.uploads.receiving import Receiver
from services.model_serving.batch.uploads.removal import Removal
from services.model_serving.batch.uploads.room import Room
from services.model_serving.batch.webhook.webhooks import Webhooks
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.store import LoadedModels


@dataclass(frozen=True, slots=True)
class Batch:
    """Made by the lifespan."""

    jobs: Jobs
    tables: Tables
    freezer: Freezer
    uploads: Uploads
    body_timeout: timedelta
    webhooks: Webhooks
    reviews: Reviews
    reports: Reports
    exports: Exports
    pages: Pages


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
    limits = limits_of(settings)
    removal = Removal(kernel.database, kernel.objects, settings.batch_upload_grace)
    arrivals = Arrivals(kernel.database, Room.of(settings), removal)
    uploads = Uploads(jobs, Receiver(arrivals, kernel.objects, limits), limits, Quota.of(settings))
    tables = Tables(jobs, kernel.objects, arrivals, quota=uploads.quota, most=int(settings.batch_max_table_size))
    try:
        yield Batch(
            jobs,
            tables,
            Freezer(directory, store, registry),
            uploads,
            settings.body_timeout,
            Webhooks(kernel.database, kernel.audit, settings),
            Reviews(kernel.database, kernel.audit, kernel.objects),
            Reports(kernel.database),
            Exports(kernel.database, kernel.objects, bell),
            Pages(kernel.database, jobs),
        )
    finally:
        await bell.close()
