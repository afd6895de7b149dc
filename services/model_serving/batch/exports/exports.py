"""Files with the results of a job, as its owner fetches them: written once, when they are first asked for."""

from uuid import UUID

from mlplatform.database import Database
from mlplatform.errors import NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.doorbell.bell import Bell
from services.model_serving.batch.errors import JobGoesOn, ResultsNotWritten
from services.model_serving.batch.exports import repository
from services.model_serving.batch.exports.source import source_of
from services.model_serving.batch.jobs import repository as jobs
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.repository import OPEN, ChunkInput
from services.model_serving.batch.tables.results import Format

MOST_ORDERS = 3
"""How often a file is ordered that comes to nothing, since a worker of another release refused it, or died."""
LOST = (
    f"The file could not be written, {MOST_ORDERS} times; an operator finds the reason in the workers' logs, as "
    "batch.not_finished or batch.died. Submit the job again, or read its results by page."
)


class Exports:
    """Gives results as files.

    Args:
        database: Where the jobs are.
        objects: Where the files are.
        bell: Tells the workers of files to write.
    """

    def __init__(self, database: Database, objects: ObjectStore, bell: Bell) -> None:
        self._database = database
        self._objects = objects
        self._bell = bell

    async def address(self, tenant: str, number: UUID, form: Format) -> str:
        """Return where the results of a job can be read for a while; a worker writes the file when it is not there.

        Raises:
            NotFound: There is no such job, or the file could not be written.
            JobGoesOn: The job has not ended.
            ResultsNotWritten: They are not written yet.
        """
        async with self._database.transaction(tenant) as connection:
            _ended(await jobs.find(connection, number))
            key = (await repository.files(connection, number)).get(form)
            if key is None:
                job = _ended(await jobs.lock(connection, number))
                key = (await repository.files(connection, number)).get(form)  # it may have been written meanwhile
            is_new = key is None and await self._order(connection, job, form)
        if is_new:
            self._bell.ring()
        if key is None:
            raise ResultsNotWritten
        return await self._objects.presigned_get(key)

    async def _order(self, connection: repository.Connection, job: Job, form: Format) -> bool:
        """Have a file of a locked job written, which there is not; False when that is under way."""
        states = await repository.orders(connection, job.id, form)
        if not set(OPEN).isdisjoint(states):
            return False
        if len(states) >= MOST_ORDERS:
            raise NotFound(LOST)
        chunk = ChunkInput((), source=source_of(job, [form]), kind="finish")
        # who asks has waited for the job, and is not to wait for all that the tenant has queued since
        await jobs.add_chunks(connection, job.id, [chunk], queued_at=job.created_at)
        return True


def _ended(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no such job.")
    if not job.has_ended:
        raise JobGoesOn(job.state)
    return job
