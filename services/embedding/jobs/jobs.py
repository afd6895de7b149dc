"""Jobs as their owners see them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog

from mlplatform.database import Database
from mlplatform.errors import Conflict, DependencyUnavailable, FieldError, NotFound, PlatformError, Unprocessable
from mlplatform.idempotency import RepeatableRequest, StoredResponse
from mlplatform.objects import ObjectStore
from services.embedding.errors import TooManyJobs
from services.embedding.jobs import repository
from services.embedding.jobs.clearing import clear
from services.embedding.jobs.job import Job, Output, folder_of, uploads_of
from services.embedding.jobs.worker import JobWorker

ACCEPTED = 202
READ_BYTES = 4 * 1024 * 1024
MOST_JOBS = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a job is to do.

    Attributes:
        output: The form of the result.
        prompt: Put before each text; an empty one for what the model itself puts there.
        dimensions: Length of the vectors; None for the model's own.
    """

    output: Output
    prompt: str = ""
    dimensions: int | None = None


class Jobs:
    """Makes jobs, finds them and removes them.

    Args:
        database: Where they are.
        objects: Where their input and output are.
        worker: Is told of new ones.
        most: Jobs that a tenant may have, those that have ended included.
    """

    def __init__(self, database: Database, objects: ObjectStore, worker: JobWorker, *, most: int = MOST_JOBS) -> None:
        self._database = database
        self._objects = objects
        self._worker = worker
        self._most = most

    async def add(
        self, tenant: str, source: bytes | str, order: Order, repeatable: RepeatableRequest
    ) -> Job | StoredResponse:
        """Make a job.

        Args:
            tenant: Whose it is.
            source: The input itself, or the key of an object of the tenant with it.
            order: What to do.
            repeatable: The request; sent again, it makes no second job.

        Raises:
            Unprocessable: There is no such object, or it is not the tenant's.
            TooManyJobs: The tenant has as many as it may.
            DependencyUnavailable: Postgres or S3 do not answer.
        """
        async with self._database.transaction(tenant) as connection:
            stored = await self._replay(connection, repeatable)
        if stored is not None:
            return stored
        number = uuid4()
        if isinstance(source, str):
            await self._check(tenant, source)
            return await self._create(tenant, number, source, order, repeatable)
        key = f"{folder_of(tenant, number)}/input.ndjson"
        await self._objects.put(key, source, "application/x-ndjson")
        try:
            job = await self._create(tenant, number, key, order, repeatable)
        except PlatformError:
            await self._objects.delete(key)
            raise
        if isinstance(job, StoredResponse):
            await self._objects.delete(key)
        return job

    async def _replay(self, connection: repository.Connection, repeatable: RepeatableRequest) -> StoredResponse | None:
        """Return the answer that the request got before; refuse a new one when the tenant has as many as it may."""
        stored = await repeatable.replay(connection)
        if stored is None and await repository.count(connection) >= self._most:
            raise TooManyJobs(self._most)
        return stored

    async def _create(
        self, tenant: str, number: UUID, key: str, order: Order, repeatable: RepeatableRequest
    ) -> Job | StoredResponse:
        async with self._database.transaction(tenant) as connection:
            stored = await self._replay(connection, repeatable)
            if stored is not None:
                return stored
            job = await repository.create(
                connection,
                number,
                key,
                output=order.output,
                prompt=order.prompt,
                dimensions=order.dimensions,
            )
            await repeatable.save(connection, ACCEPTED, describe(job))
        self._worker.wake()
        return job

    async def find(self, tenant: str, number: UUID) -> Job:
        """Return a job of a tenant.

        Raises:
            NotFound: There is none.
        """
        async with self._database.transaction(tenant) as connection:
            job = await repository.find(connection, number)
        if job is None:
            raise NotFound("There is no such job.")
        return job

    async def remove(self, tenant: str, number: UUID) -> None:
        """End a job, if it has not ended, and delete all that was stored for it.

        Where a node works on it, that node does so at its next step, or another one when its lease has ended: else what
        it stores meanwhile would stay.

        Raises:
            NotFound: There is none.
        """
        async with self._database.transaction(tenant) as connection:
            removed = await repository.remove(connection, number)
        if removed is None:
            raise NotFound("There is no such job.")
        job, held = removed
        if held:
            return
        try:
            await clear(self._database, self._objects, job)
        except DependencyUnavailable as error:
            log.warning("embedding.job_not_cleared", job=str(number), reason=error.detail)  # a worker does it later

    async def result(self, tenant: str, number: UUID, *, errors: bool) -> tuple[Job, AsyncIterator[bytes]]:
        """Return a job that is done, and the bytes of its result.

        Args:
            tenant: Whose it is.
            number: The job.
            errors: Return the lines that failed instead, of a result that has no room for them.

        Raises:
            NotFound: There is no such job, or no such object.
            Conflict: It is not done, or its result has room for the lines that failed.
        """
        job = await self.find(tenant, number)
        if job.state != "done":
            raise Conflict("The job is not done; GET it to see how far it is.", headers={"Retry-After": "2"})
        if errors and job.output != "npy":
            raise Conflict("The errors of this job are in its result.")
        key = job.errors_key if errors else job.result_key
        return job, self._stream(key, await self._objects.size(key))

    async def _stream(self, key: str, size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, READ_BYTES):
            yield await self._objects.get_range(key, start, min(READ_BYTES, size - start))

    async def _check(self, tenant: str, key: str) -> None:
        own = uploads_of(tenant)
        found = key.startswith(own)
        if not found or not await self._objects.exists(key):
            message = "is not there" if found else f"must begin with {own}"
            raise Unprocessable("The input cannot be read.", errors=[FieldError("query.input_key", message)])


def describe(job: Job) -> dict[str, object]:
    """Return a job as callers see it."""
    return {
        "id": str(job.id),
        "state": job.state,
        "output": job.output,
        "model": job.model,
        "version": job.version,
        "digest": job.digest,
        "dimension": job.dimension,
        "lines": job.lines,
        "texts": job.texts,
        "failed": job.failed,
        "error": job.error,
        "created_at": job.created_at.isoformat(),
        "finished_at": job.finished_at and job.finished_at.isoformat(),
        "result_key": job.result_key if job.state == "done" else None,
        "errors_key": job.errors_key if job.state == "done" and job.output == "npy" else None,
    }
