"""Works on jobs, a chunk at a time; whatever is stored is not done again after a crash."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import NotFound, PlatformError
from mlplatform.events.outage import Outage, wait
from mlplatform.objects import ObjectStore
from services.embedding import metrics
from services.embedding.batcher import Encoded
from services.embedding.errors import EncodingFailedError
from services.embedding.jobs import answers, repository
from services.embedding.jobs.clearing import clear
from services.embedding.jobs.job import Job
from services.embedding.jobs.lines import LINE_BYTES, Line, read_chunk
from services.embedding.served_model import ServedModel
from services.embedding.vectors import shorten

LEASE = timedelta(minutes=2)
IDLE = timedelta(seconds=2)
MOST_STALLS = 5
RETENTION = timedelta(days=7)

NDJSON = "application/x-ndjson"

log = structlog.get_logger(__name__)


class JobLostError(Exception):
    """The job was removed, or another node has taken it.

    Args:
        job: As far as this node had come with it.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(str(job.id))
        self.job = job


class JobWorker:
    """Takes one job after the other.

    Args:
        database: Where the jobs are.
        objects: Where their input and output are.
        model: Returns the model in memory, or raises `ModelNotLoaded`.
        characters: Most characters of a text.
        lease: How long a job stays with a node that says nothing.
        retention: How long a job is kept after its end.
    """

    def __init__(
        self,
        database: Database,
        objects: ObjectStore,
        model: Callable[[], ServedModel],
        *,
        characters: int,
        lease: timedelta = LEASE,
        retention: timedelta = RETENTION,
    ) -> None:
        self._database = database
        self._objects = objects
        self._model = model
        self._characters = characters
        self._lease = lease
        self._retention = retention
        self._stopping = asyncio.Event()
        self._added = asyncio.Event()

    def wake(self) -> None:
        """Look for jobs now."""
        self._added.set()

    def stop(self) -> None:
        """Let `run` return after the chunk at hand."""
        self._stopping.set()
        self._added.set()

    async def run(self) -> None:
        """Work until stopped, through outages of Postgres and S3."""
        outage = Outage("embedding jobs")
        while not self._stopping.is_set():
            self._added.clear()
            try:
                worked = await self.clear()
                worked = await self.work() or worked
            except (psycopg.Error, PlatformError) as error:
                await wait(self._stopping, outage.failed(error))
                continue
            outage.ended()
            if not worked:
                await wait(self._added, IDLE)

    async def work(self) -> bool:
        """Work on one job, to its end or until stopped.

        Returns:
            Whether there was one.

        Raises:
            PlatformError: The model is not loaded, or Postgres or S3 do not answer. The job goes on when they do.
            psycopg.Error: Postgres does not answer.
        """
        model = self._model()
        async with self._database.transaction() as connection:
            claimed = await repository.claim(connection, self._lease)
        if claimed is None:
            return False
        tenant, number = claimed
        async with self._database.transaction(tenant) as connection:
            job = await repository.find(connection, number)
        if job is None:
            return True
        try:
            await self._work(job, model)
        except JobLostError as lost:
            log.info("embedding.job_lost", job=str(number))
            await self._leave(lost.job)
        except (psycopg.Error, PlatformError):
            with suppress(psycopg.Error, PlatformError):  # else the lease ends it
                await self._release(job)
            raise
        return True

    async def clear(self) -> bool:
        """Delete the objects of one job that was removed or ended long ago.

        Returns:
            Whether there was one.

        Raises:
            PlatformError: Postgres or S3 do not answer.
            psycopg.Error: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            claimed = await repository.claim_removed(connection, self._retention, self._lease)
        if claimed is None:
            return False
        tenant, number = claimed
        async with self._database.transaction(tenant) as connection:
            job = await repository.find_kept(connection, number)
        if job is not None:
            await clear(self._database, self._objects, job)
        return True

    async def _leave(self, job: Job) -> None:
        """Delete what this node stored of a job that was removed meanwhile."""
        async with self._database.transaction(job.tenant_id) as connection:
            kept = await repository.find_kept(connection, job.id)
        if kept is None or kept.state == "removed":
            await clear(self._database, self._objects, job)

    async def _work(self, job: Job, model: ServedModel) -> None:
        if job.stalls > MOST_STALLS:
            await self._finish(job, f"{MOST_STALLS} nodes in a row ended while they worked on this job.")
            return
        if job.dimensions is not None and job.dimensions > model.encoder.dimension:
            await self._finish(job, f"The model has no more than {model.encoder.dimension} dimensions.")
            return
        job = await self._begin(job, model)
        try:
            size = await self._objects.size(job.input_key)
        except NotFound:
            await self._finish(job, "The input is no longer there.")
            return
        while job.position < size:
            if self._stopping.is_set():
                await self._release(job)
                return
            job = await self._step(job, model, size)
        try:
            await self._assemble(job)
        except NotFound:
            await self._finish(job, "A part of the result is no longer there; send the job again.")
            return
        await self._finish(job, None)
        for key in job.all_part_keys():
            await self._objects.delete(key)

    async def _begin(self, job: Job, model: ServedModel) -> Job:
        """Note what embeds the job; when that is another model than before, start over."""
        if job.digest == model.digest:
            return job
        fresh = replace(job, position=0, skipping=False, parts=0, lines=0, texts=0, failed=0)
        dimension = job.dimensions or model.encoder.dimension
        return await self._save(
            replace(fresh, model=model.name, version=model.version, digest=model.digest, dimension=dimension)
        )

    async def _step(self, job: Job, model: ServedModel, size: int) -> Job:
        """Embed one chunk and store its answers, then say so."""
        wanted = min(LINE_BYTES, size - job.position)
        content = await self._objects.get_range(job.input_key, job.position, wanted)
        chunk = await asyncio.to_thread(
            read_chunk,
            content,
            first=job.lines,
            last=job.position + len(content) >= size,
            skipping=job.skipping,
            characters=self._characters,
        )
        failed = await self._answer(job, model, chunk.lines) if chunk.lines else 0
        metrics.JOB_TEXTS.labels("embedded").inc(len(chunk.lines) - failed)
        metrics.JOB_TEXTS.labels("failed").inc(failed)
        return await self._save(
            replace(
                job,
                position=job.position + chunk.size,
                skipping=chunk.skipping,
                parts=job.parts + bool(chunk.lines),
                lines=job.lines + chunk.count,
                texts=job.texts + len(chunk.lines),
                failed=job.failed + failed,
            )
        )

    async def _answer(self, job: Job, model: ServedModel, lines: Sequence[Line]) -> int:
        """Store the answers of some lines as the job's next part.

        Returns:
            How many are errors.
        """
        errors = {position: line.error for position, line in enumerate(lines) if line.error is not None}
        good = [position for position in range(len(lines)) if position not in errors]
        encoded, broken = await _encode(model, [lines[position].text for position in good], job.prompt)
        vectors = shorten(encoded.vectors, job.dimensions)
        errors |= {good[row]: reason for row, reason in broken.items()}
        found = {position: vectors[row] for row, position in enumerate(good) if row not in broken}
        part = job.part_keys(job.parts + 1)[-1]
        if job.output == "npy":
            await self._objects.put(part, answers.matrix(lines, found, vectors.shape[1]))
            await self._objects.put(job.error_keys(job.parts + 1)[-1], answers.error_lines(lines, errors))
            return len(errors)
        cut = set(encoded.truncated)
        counts = {position: (encoded.token_counts[row], row in cut) for row, position in enumerate(good)}
        await self._objects.put(part, await asyncio.to_thread(answers.ndjson, lines, found, counts, errors))
        return len(errors)

    async def _assemble(self, job: Job) -> None:
        """Make one object of the parts."""
        parts = job.part_keys(job.parts)
        if job.output == "npy":
            await self._objects.join(job.result_key, parts, head=answers.npy_head(job.texts, job.dimension or 0))
            await self._objects.join(job.errors_key, job.error_keys(job.parts), content_type=NDJSON)
        else:
            await self._objects.join(job.result_key, parts, content_type=NDJSON)

    async def _save(self, job: Job) -> Job:
        async with self._database.transaction(job.tenant_id) as connection:
            if not await repository.save(connection, job, self._lease):
                raise JobLostError(job)
        return job

    async def _release(self, job: Job) -> None:
        """Let whoever comes first go on from what is stored."""
        async with self._database.transaction(job.tenant_id) as connection:
            await repository.release(connection, job)

    async def _finish(self, job: Job, error: str | None) -> None:
        async with self._database.transaction(job.tenant_id) as connection:
            ended = await repository.finish(connection, job, error)
        if not ended:
            raise JobLostError(job)
        metrics.JOBS.labels("done" if error is None else "failed").inc()
        log.info("embedding.job_ended", job=str(job.id), texts=job.texts, failed=job.failed, error=error)


async def _encode(model: ServedModel, texts: Sequence[str], prompt: str) -> tuple[Encoded, dict[int, str]]:
    """Encode together; when that fails, one by one, so that a text fails alone.

    Returns:
        The vectors, and the reason for each position that has none.
    """
    encode = partial(model.batcher.encode, prompt=prompt, refuse_when_full=False)
    if not texts:
        return Encoded(np.empty((0, model.encoder.dimension), dtype=np.float32), [], []), {}
    try:
        encoded, reasons = await encode(texts), dict[int, str]()
    except EncodingFailedError:
        encoded, reasons = await _encode_singly(encode, texts, model.encoder.dimension)
    finite = np.isfinite(encoded.vectors).all(axis=1)
    broken = {int(row): "The model gave no finite vector for this text." for row in np.flatnonzero(~finite)}
    return encoded, broken | reasons


async def _encode_singly(
    encode: Callable[..., Awaitable[Encoded]], texts: Sequence[str], dimension: int
) -> tuple[Encoded, dict[int, str]]:
    vectors = np.zeros((len(texts), dimension), dtype=np.float32)
    counts, truncated, reasons = [0] * len(texts), [], {}
    for row, text in enumerate(texts):
        try:
            one = await encode([text])
        except EncodingFailedError as error:
            reasons[row] = error.detail
            continue
        vectors[row], counts[row] = one.vectors[0], one.token_counts[0]
        truncated += [row] if one.truncated else []
    return Encoded(vectors, counts, truncated), reasons
