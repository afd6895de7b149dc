"""Results a page at a time, while the job goes on too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from mlplatform.database import Database
from services.model_serving.batch.exports import repository
from services.model_serving.batch.jobs.job import Job, ResultState
from services.model_serving.batch.jobs.jobs import Jobs
from services.model_serving.batch.jobs.repository import read_output
from services.model_serving.batch.tables import source as tables
from services.model_serving.batch.tables.results import TYPES
from services.model_serving.batch.uploads import received as files


@dataclass(frozen=True, slots=True)
class ResultPage:
    """A page.

    Attributes:
        job: Of which job.
        rows: Results in the order of their items; of a table only those of rows that failed.
        names: Of the files that the items are, by item.
        following: Cursor of the next page; None of the last one.
    """

    job: Job
    rows: Sequence[DictRow]
    names: Mapping[int, str]
    following: str | None

    def describe(self, place: str) -> dict[str, Any]:
        """Return it as JSON has it.

        Args:
            place: Path of the job.
        """
        is_table = self.job.kind == tables.TYPE
        return {
            "model": self.job.model["name"],
            "version": self.job.model["version"],
            "results": [self._result(row) for row in self.rows],
            "next_cursor": self.following,
            "complete": self.job.has_ended and self.job.state != "cancelled" and not (is_table and self.job.succeeded),
            "lists": "failed" if is_table else "all",
            "files": {form: f"{place}/results.{form}" for form in TYPES} if self.job.has_ended else None,
        }

    def _result(self, row: DictRow) -> dict[str, Any]:
        return {
            "item": row["item"],
            "name": self.names.get(row["item"]),
            "state": row["state"],
            "output": read_output(row["output"]),
            "error": read_output(row["error"]),
        }


class Pages:
    """Reads pages.

    Args:
        database: Where results are.
        jobs: Finds them.
    """

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    async def read(
        self, tenant: str, number: UUID, *, limit: int, cursor: str | None, state: ResultState | None
    ) -> ResultPage:
        """Return a page.

        Raises:
            NotFound: There is no such job.
            InvalidCursor: The cursor is not one of ours.
        """
        job, rows, following = await self._jobs.results(tenant, number, limit=limit, cursor=cursor, state=state)
        names: dict[int, str] = {}
        if rows and job.kind == files.SOURCE:
            async with self._database.transaction(tenant) as connection:
                names = await repository.names(connection, number, rows[0]["item"], rows[-1]["item"])
        return ResultPage(job, rows, names, following)
