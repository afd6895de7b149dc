"""Reports as those see them who submitted the jobs."""

from uuid import UUID

from pydantic import ValidationError

from mlplatform.database import Database
from mlplatform.errors import NotFound
from services.model_serving.batch.jobs.job import ENDED
from services.model_serving.batch.report import repository
from services.model_serving.batch.report.schemas import BatchReport
from services.model_serving.batch.report.source import TYPE

MISSING = "The job has no report: it has not ended, its report is still being made, or none was asked for."


class Reports:
    """Finds reports.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, tenant: str, job: UUID) -> BatchReport:
        """Return the report of a job of a tenant.

        Raises:
            NotFound: There is no such job, or it has no report.
        """
        async with self._database.transaction(tenant) as connection:
            row = await repository.written(connection, job)
        if row is None:
            raise NotFound("There is no such job.")
        written = (row["summary"] or {}).get(TYPE)
        if written is None or row["state"] not in ENDED:
            raise NotFound(MISSING)
        about = {"job": job, "model": row["model"]["name"], "version": row["model"]["version"], "state": row["state"]}
        try:
            return BatchReport.model_validate({**written, **about})
        except ValidationError as error:
            raise NotFound("The report was written by another release, and cannot be read by this one.") from error
