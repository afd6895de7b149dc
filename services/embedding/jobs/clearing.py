"""Deletes what was stored for jobs that are no more."""

from contextlib import suppress

from mlplatform.database import Database
from mlplatform.errors import NotFound
from mlplatform.objects import ObjectStore
from services.embedding.jobs import repository
from services.embedding.jobs.job import Job


async def clear(database: Database, objects: ObjectStore, job: Job) -> None:
    """Delete every object of a job that nobody works on, and then the job.

    Done again, it does nothing; the row stays until all objects are gone, so that none is forgotten.

    Raises:
        DependencyUnavailable: S3 or Postgres do not answer.
        psycopg.Error: Postgres does not answer.
    """
    for key in job.own_keys():
        with suppress(NotFound):
            await objects.delete(key)
    async with database.transaction(job.tenant_id) as connection:
        await repository.delete(connection, job.id)
