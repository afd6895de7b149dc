"""The statements of those who own jobs, in transactions of their tenant."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

import orjson
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Json, Jsonb

from services.model_serving.batch.jobs.job import Job, Kind, ResultState, State

Connection: TypeAlias = AsyncConnection[DictRow]
COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Job))
OPEN = ("queued", "running")
PATIENT = {"statement_timeout": "15min", "idle_in_transaction_session_timeout": "15min"}
"""Settings of transactions that change as many rows as a job has items, of which a table has millions."""


@dataclass(frozen=True, slots=True)
class ChunkInput:
    """What a chunk works on: its input, or what its source describes.

    Attributes:
        items: Numbers of its items; none of a chunk that is to be split.
        input: The items as a JSON list.
        source: Where the items are; `first` in it is the number of the first item that it describes.
        kind: What is to be done with it.
    """

    items: Sequence[int]
    input: bytes | None = None
    source: dict[str, Any] | None = None
    kind: Kind = "score"


async def create(connection: Connection, job: UUID, **values: Any) -> Job:  # noqa: ANN401 (values of columns)
    """Add a job of the tenant; `model`, `params` and `finish` are written as JSON."""
    await connection.execute(
        "INSERT INTO tenants (tenant_id) VALUES (current_setting('ml.tenant')) ON CONFLICT DO NOTHING"
    )
    given = {"id": job} | values | {"model": Jsonb(values["model"]), "params": Json(values["params"])}
    if values.get("finish") is not None:
        given["finish"] = Json(values["finish"])
    statement = sql.SQL("INSERT INTO batch_jobs ({}) VALUES ({}) RETURNING {}").format(
        sql.SQL(", ").join(map(sql.Identifier, given)), sql.SQL(", ").join([sql.Placeholder()] * len(given)), COLUMNS
    )
    cursor = await connection.execute(statement, tuple(given.values()))
    (row,) = await cursor.fetchall()
    return Job(**row)


async def add_chunks(
    connection: Connection, job: UUID, chunks: Sequence[ChunkInput], queued_at: datetime | None = None
) -> None:
    """Queue chunks of a job.

    Args:
        connection: In a transaction of the tenant.
        job: The job.
        chunks: To queue.
        queued_at: Their place among the chunks of the tenant; behind all that are queued when it is not given.
    """
    cursor = await connection.execute(
        "SELECT coalesce(max(number) + 1, 0) AS next FROM batch_chunks WHERE job_id = %s", (job,)
    )
    (row,) = await cursor.fetchall()
    async with connection.cursor() as writer:
        await writer.executemany(
            "INSERT INTO batch_chunks (job_id, number, first_item, item_count, items, input, source, kind, queued_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, coalesce(%s::timestamptz, clock_timestamp()))",
            [(job, row["next"] + place, *placed(chunk), queued_at) for place, chunk in enumerate(chunks)],
        )


def placed(chunk: ChunkInput) -> tuple[object, ...]:
    """Return the columns `first_item`, `item_count`, `items`, `input`, `source` and `kind` of a chunk."""
    source = None if chunk.source is None else Json(chunk.source)
    first = chunk.items[0] if chunk.items else 0
    return first, len(chunk.items), _listed(chunk.items), chunk.input, source, chunk.kind


def _listed(items: Sequence[int]) -> list[int] | None:
    """Return the numbers as the column has them: none when they follow each other."""
    if not items:
        return None
    follow = items[-1] - items[0] == len(items) - 1
    return None if follow else list(items)


async def find(connection: Connection, job: UUID) -> Job | None:
    """Return a job of the tenant."""
    return await _one(connection, sql.SQL("SELECT {} FROM batch_jobs WHERE id = %s").format(COLUMNS), (job,))


async def lock(connection: Connection, job: UUID) -> Job | None:
    """Return a job of the tenant, and keep everybody else from changing it; before any of its chunks is."""
    statement = sql.SQL("SELECT {} FROM batch_jobs WHERE id = %s FOR NO KEY UPDATE").format(COLUMNS)
    return await _one(connection, statement, (job,))


async def page(
    connection: Connection, *, before: int | None, limit: int, state: State | None, model: str | None
) -> list[DictRow]:
    """Return jobs of the tenant, newest first."""
    cursor = await connection.execute(
        sql.SQL(
            "SELECT {} FROM batch_jobs WHERE (%(before)s::bigint IS NULL OR number < %(before)s) "
            "AND (%(state)s::text IS NULL OR state = %(state)s) "
            "AND (%(model)s::text IS NULL OR model ->> 'name' = %(model)s) ORDER BY number DESC LIMIT %(limit)s"
        ).format(COLUMNS),
        {"before": before, "state": state, "model": model, "limit": limit},
    )
    return await cursor.fetchall()


async def results(
    connection: Connection, job: UUID, *, after: int, limit: int, state: ResultState | None
) -> list[DictRow]:
    """Return results of a job with items above `after`, in order; `output` and `error` as text."""
    cursor = await connection.execute(
        """
        SELECT item, state, output::text AS output, error::text AS error FROM batch_results
        WHERE job_id = %s AND item > %s AND (%s::text IS NULL OR state = %s) ORDER BY item LIMIT %s
        """,
        (job, after, state, state, limit),
    )
    return await cursor.fetchall()


async def cancel(connection: Connection, job: UUID) -> Job:
    """Cancel what is left of a locked job; whoever works on it finds its claim void."""
    await connection.execute(
        "UPDATE batch_chunks SET state = 'cancelled', holder = NULL, lease_until = NULL "
        "WHERE job_id = %s AND state = ANY(%s)",
        (job, list(OPEN)),
    )
    cancelled = await _changed(
        connection,
        "state = 'cancelled', cancelled = items - succeeded - failed, finished_at = now()",
        job,
    )
    await queue_finish(connection, cancelled)
    return cancelled


async def take_failed(connection: Connection, job: UUID) -> list[int]:
    """Delete the failed results of a locked job, and return the numbers of their items in order."""
    cursor = await connection.execute(
        "DELETE FROM batch_results WHERE job_id = %s AND state = 'failed' RETURNING item", (job,)
    )
    return sorted(row["item"] for row in await cursor.fetchall())


async def inputs(connection: Connection, job: UUID) -> list[ChunkInput]:
    """Return what the chunks of a job work on that were scored, or given up, as they are."""
    cursor = await connection.execute(
        "SELECT first_item, item_count, items, input, source FROM batch_chunks "
        "WHERE job_id = %s AND state = 'done' AND kind = 'score' ORDER BY number",
        (job,),
    )
    return [ChunkInput(numbers_of(row), row["input"], row["source"]) for row in await cursor.fetchall()]


def numbers_of(row: DictRow) -> Sequence[int]:
    """Return the numbers of a chunk's items."""
    if row["items"] is not None:
        return list(row["items"])
    return range(row["first_item"], row["first_item"] + row["item_count"])


async def queue_finish(connection: Connection, job: Job) -> None:
    """Queue what follows the end of a job, in the transaction that ends it; nothing for a job that wants nothing."""
    if job.has_ended and job.finish is not None:
        await add_chunks(connection, job.id, [ChunkInput((), source=one, kind="finish") for one in job.finish])


async def reopen(connection: Connection, job: UUID) -> Job:
    """Queue a locked job that ended, without its failed results; what was to follow its end follows the next one."""
    await connection.execute(
        "UPDATE batch_chunks SET state = 'cancelled', holder = NULL, lease_until = NULL "
        "WHERE job_id = %s AND kind = 'finish'",
        (job,),
    )
    return await _changed(
        connection,
        "state = 'queued', failed = 0, retries = retries + 1, error = NULL, finished_at = NULL, summary = NULL",
        job,
    )


async def lock_old(connection: Connection, job: UUID, retention: timedelta) -> bool:
    """Lock a job that ended longer ago than `retention`; False when it did not, or somebody is at it."""
    cursor = await connection.execute(
        "SELECT 1 FROM batch_jobs WHERE id = %s AND finished_at < clock_timestamp() - %s FOR UPDATE SKIP LOCKED",
        (job, retention),
    )
    if await cursor.fetchone() is None:
        return False
    # Whoever writes a file now would write it behind the deletion; those who would begin to find the chunk locked.
    following = await connection.execute(
        "SELECT state FROM batch_chunks WHERE job_id = %s AND kind = 'finish' AND state = ANY(%s) FOR UPDATE",
        (job, list(OPEN)),
    )
    return all(row["state"] != "running" for row in await following.fetchall())


async def delete(connection: Connection, job: UUID) -> None:
    """Forget a locked job, with everything of it."""
    await connection.execute("DELETE FROM batch_jobs WHERE id = %s", (job,))


async def _changed(connection: Connection, change: LiteralString, job: UUID) -> Job:
    statement = sql.SQL("UPDATE batch_jobs SET {} WHERE id = %s RETURNING {}").format(sql.SQL(change), COLUMNS)
    cursor = await connection.execute(statement, (job,))
    (row,) = await cursor.fetchall()
    return Job(**row)


async def _one(connection: Connection, statement: sql.Composed, values: tuple[object, ...]) -> Job | None:
    cursor = await connection.execute(statement, values)
    row = await cursor.fetchone()
    return Job(**row) if row else None


def read_output(text: str | None) -> Any:  # noqa: ANN401 (any JSON)
    """Return a column of JSON that was read as text."""
    return None if text is None else orjson.loads(text)
