"""One chunk after the other, from its claim to its commit."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import psycopg
import structlog

from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from services.model_serving.batch import metrics
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.quota.quota import QuotaExceeded
from services.model_serving.batch.scoring.assignment import (
    Assignment,
    ChunkSpec,
    Finished,
    Report,
    Scored,
    Split,
    Stopped,
    Unavailable,
    Unloadable,
    Unreadable,
    Written,
)
from services.model_serving.batch.scoring.process import ScorerDiedError, ScorerProcess
from services.model_serving.batch.tracing import worker_span
from services.model_serving.batch.work.burial import Burial
from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.claims import Claims, TwiceError, count_items, count_results, note_end

LOOK = 0.4
"""Seconds between two looks at whether the claim stands, and what a scorer has to give up when it does not.

Cancelling takes both at most, and what Postgres takes to answer: less than a second.
"""
UNAVAILABLE_DELAY = timedelta(seconds=5)
FAULT_DELAY = timedelta(seconds=1)
MOST_CLAIMS = 720
"""How often a chunk is taken before a model that cannot be reached counts as one that cannot be loaded: for an hour."""
AWAY = (psycopg.Error, PlatformError)
"""What Postgres raises when it does not answer."""
UNSTORABLE = (TwiceError, psycopg.DataError, psycopg.IntegrityError)
"""What it raises when it answers, and would again."""

log = structlog.get_logger(__name__)


class TooLateError(ScorerDiedError):
    """The process was ended, since it took too long."""


def assign(chunk: Chunk, job: Job) -> Assignment:
    """Write down what a scorer needs to know of a chunk."""
    return Assignment(
        job.identity,
        job.params,
        chunk.items,
        chunk.input or b"",
        chunk.source,
        chunk.kind,
        job.tenant_id,
        str(job.id),
        job.review_below,
    )


class Slot:
    """Claims chunks and has them scored one at a time, until told to stop.

    Args:
        claims: Takes chunks and lets them go.
        burial: What becomes of a chunk whose scorer died.
        scorer: Scores.
        lease: Of a claim.
        chunk_timeout: How long a chunk may be scored.
        poll: How often an idle slot looks.
        ring: Called when there are more chunks, for idle slots to look at once.
    """

    def __init__(
        self,
        claims: Claims,
        burial: Burial,
        scorer: ScorerProcess,
        *,
        lease: timedelta,
        chunk_timeout: timedelta,
        poll: timedelta,
        ring: Callable[[], None],
    ) -> None:
        self._claims = claims
        self._burial = burial
        self._scorer = scorer
        self._lease = lease.total_seconds()
        self._chunk_timeout = chunk_timeout.total_seconds()
        self._poll = poll
        self._ring = ring
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    def wake(self) -> None:
        """Look for a chunk now."""
        self._wake.set()

    def stop(self) -> None:
        """Take no more chunks; `run` returns after those at hand."""
        self._stopping.set()
        self._wake.set()

    def hurry(self) -> None:
        """Give the chunk at hand back, and wait for Postgres no longer."""
        self._hurry.set()

    async def run(self) -> None:
        """Work until stopped, through outages of Postgres.

        While the results of a chunk are stored, the next one is scored. What nobody foresaw counts as a death when it
        comes of a chunk, so that one job stops no worker; else it is raised.
        """
        begun: set[asyncio.Task[None]] = set()
        try:
            await self._run(begun)
        finally:
            if begun:  # what is being stored is stored, also when this ends by a fault
                await asyncio.wait(begun)

    async def _run(self, begun: "set[asyncio.Task[None]]") -> None:
        outage = Outage("batch slot")
        storing: asyncio.Task[None] | None = None
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                taken = await self._claims.take()
            except AWAY as error:
                await wait(self._stopping, outage.failed(error))
                continue
            outage.ended()
            if taken is not None:
                scored = asyncio.get_running_loop().create_future()
                work = asyncio.create_task(self._see_to(*taken, scored))
                begun.add(work)
                work.add_done_callback(begun.discard)
                await asyncio.wait({work, scored}, return_when=asyncio.FIRST_COMPLETED)
                if storing is not None:
                    await storing
                storing = work if scored.done() else None
                if storing is None:
                    await work
            elif storing is not None:  # when it is stored, the job may have ended, which is work too
                await storing
                storing = None
            else:
                await wait(self._wake, self._poll)
        if storing is not None:
            await storing

    async def _see_to(self, chunk: Chunk, job: Job, scored: "asyncio.Future[None]") -> None:
        """Have a chunk scored and stored, and what nobody foresaw counted as a death.

        Args:
            chunk: The chunk.
            job: Its job.
            scored: Done when another chunk may be scored; never, when what becomes of this one decides which is next.
        """
        work = asyncio.create_task(self._work(chunk, job, scored))
        await asyncio.wait({work})
        if (fault := work.exception()) is None:
            return
        log.error("batch.fault", job=str(chunk.claim.job_id), chunk=chunk.claim.number, exc_info=fault)
        cause, loading = f"{type(fault).__name__} in the worker", False
        if not scored.done():
            loading = self._scorer.is_loading
            self._scorer.kill()  # in whatever state it is
        await self._insist(chunk.claim, lambda: self._burial.bury(chunk.claim, cause, noticed="fault", loading=loading))
        await wait(self._stopping, FAULT_DELAY)

    async def _work(self, chunk: Chunk, job: Job, scored: "asyncio.Future[None]") -> None:
        begin = time.perf_counter()
        metrics.CHUNK_WAIT.observe(max(0.0, (datetime.now(UTC) - chunk.queued_at).total_seconds()))
        identity = job.identity
        labels = identity.name, identity.version
        attributes: dict[str, str | int] = dict(zip(("ml.model", "ml.version"), labels, strict=True))
        with worker_span(f"{chunk.kind} chunk", job.traceparent, attributes | {"ml.batch.items": len(chunk.items)}):
            try:
                report = await self._scored(chunk, assign(chunk, job))
                if isinstance(report, Scored | Written) and not report.rest:
                    scored.set_result(None)
                await self._insist(chunk.claim, lambda: self._settle(chunk, job, report))
            except ScorerDiedError as death:
                cause, loading, late = str(death), death.loading, isinstance(death, TooLateError)
                await self._insist(
                    chunk.claim,
                    lambda: self._burial.bury(chunk.claim, cause, noticed="scorer", loading=loading, late=late),
                )
            except UNSTORABLE as error:
                cause = f"its results cannot be stored: {type(error).__name__}"
                log.exception("batch.not_stored", job=str(job.id), chunk=chunk.claim.number)
                await self._insist(chunk.claim, lambda: self._burial.bury(chunk.claim, cause, noticed="commit"))
        metrics.CHUNK_DURATION.labels(*labels).observe(time.perf_counter() - begin)

    async def _settle(self, chunk: Chunk, job: Job, report: Report) -> bool:
        """Draw the conclusion from what the scorer said; False when the claim is void."""
        match report:
            case Scored() | Written():
                after = await self._commit(chunk, job, report)
            case Split(chunks):
                after = await self._split(chunk, job, chunks)
            case Finished(summary):
                return await self._claims.finish(chunk.claim, job, summary)
            case Unavailable(reason) if chunk.claim.claim < MOST_CLAIMS:
                log.warning("batch.unavailable", job=str(job.id), reason=reason)
                return await self._claims.release(chunk.claim, UNAVAILABLE_DELAY)
            case Unavailable(reason) | Unloadable(reason) | Unreadable(reason) if chunk.kind == "finish":
                log.warning("batch.not_finished", job=str(job.id), reason=reason)
                return await self._claims.finish(chunk.claim, job, None)
            case Unavailable(reason) | Unloadable(reason) if chunk.kind == "score":
                after = await self._fail(chunk, job, "model_not_loaded", f"The model could not be loaded. {reason}")
            case Unavailable(reason) | Unloadable(reason) | Unreadable(reason):
                after = await self._fail(chunk, job, "unreadable_input", f"The input could not be read. {reason}")
            case _:
                return await self._claims.release(chunk.claim)
        if after is not None:
            note_end(after)
        return after is not None

    async def _commit(self, chunk: Chunk, job: Job, report: Scored | Written) -> Job | None:
        if isinstance(report, Scored):
            after = await self._claims.commit(chunk, job, report.results, report.rest)
            if after is not None:
                count_results(job, report.results)
            return after
        after = await self._claims.commit_object(chunk, job, report)
        if after is not None:
            count_items(job, report.succeeded, len(report.failures))
        return after

    async def _split(self, chunk: Chunk, job: Job, specs: Sequence[ChunkSpec]) -> Job | None:
        try:
            after = await self._claims.split(chunk.claim, job, specs)
        except QuotaExceeded as error:
            return await self._fail(chunk, job, error.code, error.detail)
        self._ring()
        return after

    async def _fail(self, chunk: Chunk, job: Job, code: str, detail: str) -> Job | None:
        error = orjson.dumps({"code": code, "detail": detail, "errors": []}).decode()
        return await self._claims.fail(chunk.claim, job, detail, error)

    async def _scored(self, chunk: Chunk, assignment: Assignment) -> Report:
        """Have a chunk scored, and keep it meanwhile.

        Raises:
            ScorerDiedError: The scorer ended over it, or was ended because it took too long.
        """
        answer = asyncio.create_task(self._scorer.score(assignment))
        begin = renewed = time.monotonic()
        try:
            while not (await asyncio.wait({answer}, timeout=LOOK))[0]:
                now = time.monotonic()
                if now - begin > self._chunk_timeout:
                    loading = self._scorer.is_loading
                    self._scorer.kill()
                    await asyncio.wait({answer})
                    with suppress(ScorerDiedError):
                        return await answer  # it was done just then
                    raise TooLateError(f"it took longer than {self._chunk_timeout:g} s", loading=loading)
                due = now - renewed > self._lease / 3
                if self._hurry.is_set() or not await self._keeps(chunk.claim, renew=due):
                    return await self._given_up(answer)
                renewed = now if due else renewed
            return await answer
        finally:
            if not answer.done():
                self._scorer.kill()
                await asyncio.wait({answer})

    async def _keeps(self, claimed: Claim, *, renew: bool) -> bool:
        """Whether the claim stands, as far as anybody can say."""
        try:
            return await (self._claims.renew(claimed) if renew else self._claims.holds(claimed))
        except AWAY:
            return True  # Postgres is away, and lets nobody else take it either

    async def _given_up(self, answer: "asyncio.Task[Report]") -> Report:
        """Have the scorer stop, by force when it does not between two calls."""
        self._scorer.stop()
        if not (await asyncio.wait({answer}, timeout=LOOK))[0]:
            self._scorer.kill()
            await asyncio.wait({answer})
        with suppress(ScorerDiedError):
            return await answer
        return Stopped()

    async def _insist(self, claimed: Claim, act: Callable[[], Awaitable[bool]]) -> None:
        """Do what must be stored, as soon as Postgres is there; a chunk that is lost is left alone."""
        outage = Outage("batch commit")
        while True:
            try:
                stood = await act()
            except UNSTORABLE:
                raise
            except AWAY as error:
                delay = outage.failed(error)
                if self._hurry.is_set():
                    return  # the lease ends it
                await wait(self._hurry, delay)
                continue
            outage.ended()
            if not stood:
                metrics.LOST.inc()
                log.info("batch.claim_lost", job=str(claimed.job_id), chunk=claimed.number)
            return
