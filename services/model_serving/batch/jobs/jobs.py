"""Jobs as their owners see them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import orjson
import structlog
from psycopg.rows import DictRow

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.errors import FieldError, NotFound, Unprocessable
from mlplatform.idempotency import RepeatableRequest, StoredResponse
from services.model_serving.batch import metrics
from services.model_serving.batch.doorbell.bell import Bell
from services.model_serving.batch.errors import JobEnded, NothingToRetry
from services.model_serving.batch.jobs import repository
from services.model_serving.batch.jobs.describing import describe
from services.model_serving.batch.jobs.job import Job, ResultState, State
from services.model_serving.batch.jobs.repository import ChunkInput
from services.model_serving.batch.report.source import SOURCE
from services.model_serving.batch.tracing import current_traceparent
from services.model_serving.engine.identity import ModelIdentity

ACCEPTED = 202
INLINE = "inline"
LARGE = 1000
"""Items from which on they are written in a thread, so that others need not wait for it."""

Within: TypeAlias = Callable[[repository.Connection, Job], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a job is to do.

    Attributes:
        model: The version that scores it.
        inputs: The items.
        alias: By which the caller named the version.
        params: Parameters of the model.
        review_below: Results with less confidence are reviewed.
        webhook: Where to tell of its end.
        report: Whether a report follows its end.
        finish: Sources of other chunks that follow it.
    """

    model: ModelIdentity
    inputs: Sequence[Any] = ()
    alias: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    review_below: float | None = None
    webhook: str | None = None
    report: bool = False
    finish: Sequence[dict[str, Any]] = ()


class Jobs:
    """Makes jobs, finds, cancels and retries them.

    Args:
        database: Where they are.
        bell: Tells the workers of new ones.
        audit: Who did what.
        most_items: Items that a job may have.
        chunk_items: Items of a chunk.
    """

    def __init__(self, database: Database, bell: Bell, audit: AuditLog, *, most_items: int, chunk_items: int) -> None:
        self._database = database
        self._bell = bell
        self._audit = audit
        self._most_items = most_items
        self._chunk_items = chunk_items

    @property
    def chunk_items(self) -> int:
        """Items of a chunk."""
        return self._chunk_items

    def check(self, inputs: Sequence[Any]) -> None:
        """Refuse more items than a job may have.

        Raises:
            Unprocessable: There are more.
        """
        if len(inputs) > self._most_items:
            message = f"must have at most {self._most_items} entries, has {len(inputs)}"
            raise Unprocessable("A job may not have so many items.", errors=[FieldError("body.inputs", message)])

    async def replay(self, tenant: str, repeatable: RepeatableRequest) -> StoredResponse | None:
        """Return the answer of a request that was sent before, whatever has become of its model."""
        if repeatable.key is None:
            return None
        async with self._database.transaction(tenant) as connection:
            return await repeatable.replay(connection)

    async def is_answered(self, tenant: str, repeatable: RepeatableRequest) -> bool:
        """Whether a request with this key was answered before, which is known before it is read."""
        if repeatable.key is None:
            return False
        async with self._database.transaction(tenant) as connection:
            return await repeatable.is_answered(connection)

    async def submit(
        self,
        principal: Principal,
        order: Order,
        repeatable: RepeatableRequest,
        request_id: str | None,
        within: Within | None = None,
    ) -> Job | StoredResponse:
        """Store a job with all of its chunks, and tell the workers.

        Args:
            principal: Whose it is.
            order: What to do.
            repeatable: The request; sent again, it makes no second job.
            request_id: Under which logs know the request.
            within: Done in the same transaction; what it raises makes all of it undone.

        Raises:
            Unprocessable: There are too many items.
            DependencyUnavailable: Postgres does not answer.
        """
        self.check(order.inputs)
        numbers = range(len(order.inputs))
        items = dict(enumerate(order.inputs))
        if len(numbers) < LARGE:
            chunks = self._cut(items, numbers)
        else:
            chunks = await asyncio.to_thread(self._cut, items, numbers)
        return await self.accept(
            principal, order, chunks, kind=INLINE, repeatable=repeatable, request_id=request_id, within=within
        )

    async def accept(
        self,
        principal: Principal,
        order: Order,
        chunks: Sequence[ChunkInput],
        *,
        kind: str,
        repeatable: RepeatableRequest,
        request_id: str | None,
        within: Within | None = None,
    ) -> Job | StoredResponse:
        """Store a job of chunks that are ready, and tell the workers.

        Args:
            principal: Whose it is.
            order: What to do; its inputs are those of the chunks.
            chunks: What it consists of.
            kind: What its items came as.
            repeatable: The request; sent again, it makes no second job.
            request_id: Under which logs know the request.
            within: Done in the same transaction; what it raises makes all of it undone.

        Raises:
            DependencyUnavailable: Postgres does not answer.
        """
        async with self._database.transaction(principal.tenant) as connection:
            stored = await repeatable.replay(connection)
            if stored is not None:
                return stored
            job = await repository.create(
                connection,
                uuid4(),
                kind=kind,
                model=asdict(order.model),
                alias=order.alias,
                params=order.params,
                items=sum(len(chunk.items) for chunk in chunks),
                subject=principal.subject,
                request_id=request_id,
                traceparent=current_traceparent(),
                review_below=order.review_below,
                webhook=order.webhook,
                finish=[*order.finish, *([SOURCE] if order.report else [])] or None,
            )
            await repository.add_chunks(connection, job.id, chunks)
            if within is not None:
                await within(connection, job)
            await repeatable.save(connection, ACCEPTED, describe(job))
            await self._record(connection, principal, "batch.submitted", job)
        metrics.SUBMITTED.labels(order.model.name, order.model.version).inc()
        self._bell.ring()
        return job

    async def find(self, tenant: str, number: UUID) -> Job:
        """Return a job of a tenant.

        Raises:
            NotFound: There is none.
        """
        return _found(await self.look(tenant, number))

    async def look(self, tenant: str, number: UUID) -> Job | None:
        """Return a job of a tenant; None when there is none."""
        async with self._database.transaction(tenant) as connection:
            return await repository.find(connection, number)

    async def page(
        self, tenant: str, *, limit: int, cursor: str | None, state: State | None, model: str | None
    ) -> tuple[list[Job], str | None]:
        """Return jobs of a tenant, newest first, and the cursor of the next page.

        Raises:
            InvalidCursor: The cursor is not one of ours.
        """
        before = read_cursor(cursor)
        async with self._database.transaction(tenant) as connection:
            rows = await repository.page(connection, before=before, limit=limit + 1, state=state, model=model)
        kept, following = cut_page(rows, limit, "number")
        return [Job(**row) for row in kept], following

    async def results(
        self, tenant: str, number: UUID, *, limit: int, cursor: str | None, state: ResultState | None
    ) -> tuple[Job, list[DictRow], str | None]:
        """Return a job, a page of its results in the order of the items, and the cursor of the next page.

        Raises:
            NotFound: There is no such job.
            InvalidCursor: The cursor is not one of ours.
        """
        after = read_cursor(cursor)
        async with self._database.transaction(tenant) as connection:
            job = _found(await repository.find(connection, number))
            rows = await repository.results(
                connection, number, after=-1 if after is None else after, limit=limit + 1, state=state
            )
        return job, *cut_page(rows, limit, "item")

    async def cancel(self, principal: Principal, number: UUID) -> Job:
        """Cancel what is left of a job; results that are there stay.

        Raises:
            NotFound: There is no such job.
            JobEnded: It ended by itself.
        """
        async with self._database.transaction(principal.tenant) as connection:
            job = _found(await repository.lock(connection, number))
            if job.state == "cancelled":
                return job
            if job.has_ended:
                raise JobEnded(job.state)
            job = await repository.cancel(connection, number)
            await self._record(connection, principal, "batch.cancelled", job)
        metrics.ENDED.labels(job.model["name"], job.model["version"], job.state).inc()
        return job

    async def retry(self, principal: Principal, number: UUID) -> Job:
        """Queue the failed items of a job that ended once more; the version stays the one of the job.

        Raises:
            NotFound: There is no such job.
            NothingToRetry: It has not ended, was cancelled, or has no failed item.
        """
        async with self._database.transaction(principal.tenant, repository.PATIENT) as connection:
            job = _found(await repository.lock(connection, number))
            if job.state not in {"completed", "failed"}:
                raise NothingToRetry(f"The job is {job.state}; only one that ended by itself can be retried.")
            numbers = await repository.take_failed(connection, number)
            if not numbers:
                raise NothingToRetry(
                    "No item of the job failed; where its input could not be read, submit it as a new job."
                )
            held = await repository.inputs(connection, number)
            chunks = await asyncio.to_thread(self._again, held, numbers)
            await repository.add_chunks(connection, number, chunks)
            job = await repository.reopen(connection, number)
            await self._record(connection, principal, "batch.retried", job)
        self._bell.ring()
        return job

    def _again(self, held: Sequence[ChunkInput], numbers: Sequence[int]) -> list[ChunkInput]:
        """Return chunks of some items out of those that had them before."""
        stored = _sourced(held, numbers)
        elsewhere = {number for chunk in stored for number in chunk.items}
        here = [number for number in numbers if number not in elsewhere]
        return [*self._cut(_items(held, set(here)), here), *stored]

    def _cut(self, items: dict[int, Any], numbers: Sequence[int]) -> list[ChunkInput]:
        parts = (numbers[start : start + self._chunk_items] for start in range(0, len(numbers), self._chunk_items))
        return [ChunkInput(part, orjson.dumps([items[number] for number in part])) for part in parts]

    async def _record(self, connection: repository.Connection, principal: Principal, action: str, job: Job) -> None:
        detail = {"model": job.model["name"], "version": job.model["version"], "items": job.items}
        await self._audit.record(
            action=action, resource=f"job {job.id}", principal=principal, detail=detail, connection=connection
        )
        log.info(action, job=str(job.id), **detail)


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound("There is no such job.")
    return job


def _sourced(held: Sequence[ChunkInput], numbers: Sequence[int]) -> list[ChunkInput]:
    """Return a chunk for each source that has some of the items; an item that was tried again is in several."""
    wanted = set(numbers)
    found: dict[bytes, ChunkInput] = {}
    for chunk in held:
        items = [] if chunk.source is None else [number for number in chunk.items if number in wanted]
        if items:
            wanted.difference_update(items)
            source = orjson.dumps(chunk.source, option=orjson.OPT_SORT_KEYS)  # each turn had a chunk with the same one
            before = found[source].items if source in found else ()
            found[source] = ChunkInput(sorted([*before, *items]), source=chunk.source)
    return [*found.values()]


def _items(held: Sequence[ChunkInput], wanted: set[int]) -> dict[int, Any]:
    """Return the items of some numbers."""
    found: dict[int, Any] = {}
    for chunk in held:
        if chunk.input is None or wanted.isdisjoint(chunk.items):
            continue
        items = orjson.loads(chunk.input)
        found |= {number: item for number, item in zip(chunk.items, items, strict=True) if number in wanted}
    return found
