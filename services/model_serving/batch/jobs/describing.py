"""Jobs and results as callers see them."""

from collections.abc import Mapping
from typing import Any

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.repository import read_output


def describe(job: Job) -> dict[str, Any]:
    """Return a job."""
    return {
        "id": str(job.id),
        "kind": job.kind,
        "state": job.state,
        "model": job.model["name"],
        "version": job.model["version"],
        "digest": job.model["digest"],
        "alias": job.alias,
        "items": job.items,
        "succeeded": job.succeeded,
        "failed": job.failed,
        "cancelled": job.cancelled,
        "retries": job.retries,
        "error": job.error,
        "created_at": job.created_at.isoformat(),
        "started_at": job.started_at and job.started_at.isoformat(),
        "finished_at": job.finished_at and job.finished_at.isoformat(),
    }


def describe_result(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result."""
    return {
        "item": row["item"],
        "state": row["state"],
        "output": read_output(row["output"]),
        "error": read_output(row["error"]),
    }
