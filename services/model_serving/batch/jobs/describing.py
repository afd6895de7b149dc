"""Jobs as callers see them."""

from typing import Any

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.schemas import BatchJob


def view(job: Job) -> BatchJob:
    """Return a job."""
    return BatchJob(
        id=job.id,
        kind=job.kind,
        state=job.state,
        model=job.identity.name,
        version=job.identity.version,
        digest=job.identity.digest,
        alias=job.alias,
        items=job.items,
        succeeded=job.succeeded,
        failed=job.failed,
        cancelled=job.cancelled,
        retries=job.retries,
        error=job.error,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        threshold=job.review_below,
        webhook=job.webhook,
    )


def describe(job: Job) -> dict[str, Any]:
    """Return a job as JSON has it."""
    return view(job).model_dump(mode="json")
