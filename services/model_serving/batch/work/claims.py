"""Chunks that this process holds, from the claim to the commit.

Everything here is conditional on the claim: whoever has lost it changes nothing.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from services.model_serving.batch import metrics
from services.model_serving.batch.exports.files import EarlierFiles
from services.model_serving.batch.jobs import repository as jobs
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.repository import PATIENT, ChunkInput
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.review.queue import add_unsure, add_unsure_rows
from services.model_serving.batch.scoring.assignment import ChunkSpec, ItemResult, Written
from services.model_serving.batch.work import repository
from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.parts import parts

log = structlog.get_logger(__name__)


class TwiceError(Exception):
    """An item of a chunk had a result before, or has none now; the chunk is not stored."""


class Claims:
    """Takes chunks and lets them go.

    Args:
        database: Where they are.
        holder: What this process is called in the table.
        lease: How long a chunk stays with a process that says nothing.
        quota: Of tenants, to which the items of a split input are held.
        earlier: Files that are deleted when there are new ones.
        most_reviews: Rows of a table that are reviewed at most; None for all.
    """

    def __init__(
        self,
        database: Database,
        holder: str,
        lease: timedelta,
        quota: Quota | None = None,
        earlier: EarlierFiles | None = None,
        *,
        most_reviews: int | None = None,
    ) -> None:
        self._database = database
        self._quota = quota
        self._earlier = earlier
        self._most_reviews = most_reviews
        self._holder = holder
        self._lease = lease
        self._unread: list[Claim] = []

    async def take(self) -> tuple[Chunk, Job] | None:
        """Take the next chunk, of whichever tenant; None when there is none to be had.

        A chunk that was taken and could not be read is read next time, as nobody else has it until its lease ends.

        Raises:
            DependencyUnavailable: Postgres does not answer.
            psycopg.Error: As well.
        """
        while True:
            claimed = self._unread.pop() if self._unread else await self._claim()
            if claimed is None:
                return None
            try:
                async with self._database.transaction(claimed.tenant_id) as connection:
                    job = await repository.begin(connection, claimed.job_id)
                    chunk = await repository.read(connection, claimed)
            except (psycopg.Error, PlatformError):
                self._unread.append(claimed)
                raise
            if job is not None and chunk is not None:
                return chunk, job

    async def _claim(self) -> Claim | None:
        async with self._database.transaction() as connection:
            return await repository.claim(connection, self._holder, self._lease)

    async def holds(self, claimed: Claim) -> bool:
        """Whether the claim stands: the job was not cancelled, and nobody else has the chunk."""
        async with self._database.transaction(claimed.tenant_id) as connection:
            return await repository.holds(connection, claimed)

    async def renew(self, claimed: Claim) -> bool:
        """Keep a chunk for another lease; False when the claim is void."""
        async with self._database.transaction(claimed.tenant_id) as connection:
            return await repository.renew(connection, claimed, self._lease)

    async def release(self, claimed: Claim, delay: timedelta = timedelta(0)) -> bool:
        """Give a chunk back for no fault of its own; False when the claim is void.

        Args:
            claimed: The chunk.
            delay: How long nobody is to take it.
        """
        async with self._database.transaction(claimed.tenant_id) as connection:
            return await repository.release(connection, claimed, delay)

    async def commit(self, chunk: Chunk, job: Job, results: Sequence[ItemResult], rest: int = 0) -> Job | None:
        """Store the results, mark the chunk as done and count them, all of it or nothing.

        Args:
            chunk: What was scored.
            job: Its job.
            results: Of its first items, one of each.
            rest: How many items follow them, which are queued as a chunk of their own.

        Returns:
            The job after it; None when the claim is void.

        Raises:
            TwiceError: An item had a result already, or one has none, which nothing should be able to bring about.
        """
        async with self._database.transaction(chunk.claim.tenant_id) as connection:
            if not await self._keep(connection, chunk, len(results), rest):
                return None
            return await store(connection, chunk.claim, job, results, chunk.age)

    async def commit_object(self, chunk: Chunk, job: Job, written: Written) -> Job | None:
        """Do the same with results that are in an object, whose name the chunk keeps.

        Returns:
            The job after it; None when the claim is void.

        Raises:
            TwiceError: An item had a result already, or one has none.
        """
        async with self._database.transaction(chunk.claim.tenant_id) as connection:
            failures = written.failures
            if not await self._keep(connection, chunk, written.succeeded + len(failures), written.rest):
                return None
            if await repository.add_results(connection, job, failures) != len(failures):
                raise TwiceError(f"{job.id} {chunk.claim.number}")
            await repository.close(connection, chunk.claim, written.key, chunk.age)
            after = await repository.count(connection, job, written.succeeded, len(failures))
            await add_unsure_rows(connection, job, written.unsure, self._most_reviews)  # the job is locked by now
            return after

    async def _keep(self, connection: repository.Connection, chunk: Chunk, done: int, rest: int) -> bool:
        """Lock a chunk, and queue the items of it that are left as another one; False when the claim is void.

        Raises:
            TwiceError: Those that are done and those that are left are not the items of the chunk.
        """
        held = await repository.lock(connection, chunk.claim)
        if held is None:
            return False
        if done + rest != len(held.items):
            raise TwiceError(f"{chunk.claim.job_id} {chunk.claim.number}")
        if rest:
            await repository.cut(connection, held, *parts(held, done))
        return True

    async def split(self, claimed: Claim, job: Job, specs: Sequence[ChunkSpec]) -> Job | None:
        """Put the chunks that a chunk was split into in its place; their items are numbered on from those of the job.

        Returns:
            The job after it; None when the claim is void.

        Raises:
            QuotaExceeded: The tenant would have more items than it may have; nothing was changed.
        """
        async with self._database.transaction(claimed.tenant_id) as connection:
            if await repository.lock(connection, claimed) is None:
                return None
            before = await jobs.find(connection, claimed.job_id)
            first = job.items if before is None else before.items
            chunks, items = number(specs, first)
            await jobs.add_chunks(connection, claimed.job_id, chunks)
            await repository.grow(connection, job, items)
            await repository.close(connection, claimed)
            after = await repository.count(connection, job, 0, 0)
            if self._quota is not None:  # at the end, since others of the tenant wait from here on
                await self._quota.check_items(connection)
            return after

    async def finish(self, claimed: Claim, job: Job, summary: dict[str, Any] | None) -> bool:
        """Mark the chunk that followed the end of a job as done; False when the claim is void.

        Args:
            claimed: The chunk.
            job: The job.
            summary: What it came to; None when it could not be done.
        """
        earlier = [] if self._earlier is None else await self._earlier.find(job, summary)
        async with self._database.transaction(claimed.tenant_id) as connection:
            if await repository.lock(connection, claimed) is None:
                return False
            if summary is not None:
                await repository.summarize(connection, job, summary)
            await repository.close(connection, claimed)
        if self._earlier is not None:
            await self._earlier.delete(job, earlier)
        return True

    async def fail(self, claimed: Claim, job: Job, reason: str, error: str) -> Job | None:
        """End a job that cannot be run.

        Args:
            claimed: A chunk of it that this process holds.
            job: The job.
            reason: Why, of the job.
            error: Why, of each item without a result, as JSON.

        Returns:
            The job after it; None when the claim is void.
        """
        async with self._database.transaction(claimed.tenant_id, PATIENT) as connection:
            if await repository.lock(connection, claimed) is None:
                return None
            return await repository.fail(connection, job, reason, error)


def number(specs: Sequence[ChunkSpec], first: int) -> tuple[list[ChunkInput], int]:
    """Return chunks with the numbers of their items, from `first` on, and how many items that are."""
    chunks = []
    following = first
    for spec in specs:
        items = range(following, following + spec.items)
        chunks.append(ChunkInput(items, source=spec.source | {"first": following}, kind=spec.kind))
        following += spec.items
    return chunks, following - first


async def store(
    connection: repository.Connection,
    claimed: Claim,
    job: Job,
    results: Sequence[ItemResult],
    seconds: float | None = None,
) -> Job:
    """Store the results of a locked chunk, and return the job after it.

    Args:
        connection: In a transaction of the tenant.
        claimed: The chunk.
        job: Its job.
        results: One of each item.
        seconds: How long it took, when it was scored.

    Raises:
        TwiceError: An item had a result already.
    """
    if await repository.add_results(connection, job, results) != len(results):
        raise TwiceError(f"{job.id} {claimed.number}")
    await add_unsure(connection, claimed, job, results)
    await repository.close(connection, claimed, seconds=seconds)
    succeeded = sum(one.state == "succeeded" for one in results)
    return await repository.count(connection, job, succeeded, len(results) - succeeded)


def count_results(job: Job, results: Sequence[ItemResult]) -> None:
    """Count committed results in the metrics."""
    succeeded = sum(one.state == "succeeded" for one in results)
    count_items(job, succeeded, len(results) - succeeded)


def count_items(job: Job, succeeded: int, failed: int) -> None:
    """Count committed items in the metrics."""
    for state, number in (("succeeded", succeeded), ("failed", failed)):
        if number:
            metrics.ITEMS.labels(job.model["name"], job.model["version"], state).inc(number)


def note_end(job: Job) -> None:
    """Count and log a job that has ended."""
    if job.has_ended:
        metrics.ENDED.labels(job.model["name"], job.model["version"], job.state).inc()
        log.info(
            "batch.ended",
            job=str(job.id),
            model=job.model["name"],
            version=job.model["version"],
            state=job.state,
            succeeded=job.succeeded,
            failed=job.failed,
        )
