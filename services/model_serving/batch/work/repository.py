"""The statements of workers. Those that change a chunk do nothing when the claim is void."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Json

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.repository import COLUMNS, ChunkInput, numbers_of, placed, queue_finish
from services.model_serving.batch.scoring.assignment import ItemResult
from services.model_serving.batch.work.chunk import Chunk, Claim

Connection: TypeAlias = AsyncConnection[DictRow]
MINE = "job_id = %s AND number = %s AND claim = %s AND state = 'running'"
PART = ("first_item", "item_count", "items", "input", "source", "kind")
CHUNK = (
    "first_item, item_count, items, input, source, kind, deaths, load_deaths, "
    "greatest(queued_at, not_before) AS queued_at"  # a part has the place of its chunk, but has not waited as long
)


async def claim(connection: Connection, holder: str, lease: timedelta) -> Claim | None:
    """Take the next chunk, of whichever tenant; None when there is none."""
    cursor = await connection.execute("SELECT * FROM claim_batch_chunk(%s, %s)", (holder, lease))
    row = await cursor.fetchone()
    return None if row is None else Claim(row["of_tenant"], row["of_job"], row["of_chunk"], row["of_claim"])


async def read(connection: Connection, claimed: Claim) -> Chunk | None:
    """Return a chunk that was taken; None when it was cancelled meanwhile."""
    cursor = await connection.execute(
        f"SELECT {CHUNK} FROM batch_chunks WHERE {MINE}",  # noqa: S608
        _mine(claimed),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return _chunk(claimed, row)


async def begin(connection: Connection, job: UUID) -> Job | None:
    """Mark a job as running, and return it."""
    await connection.execute(
        "UPDATE batch_jobs SET state = 'running', started_at = coalesce(started_at, now()) "
        "WHERE id = %s AND state = 'queued'",
        (job,),
    )
    cursor = await connection.execute(sql.SQL("SELECT {} FROM batch_jobs WHERE id = %s").format(COLUMNS), (job,))
    row = await cursor.fetchone()
    return Job(**row) if row else None


async def holds(connection: Connection, claimed: Claim) -> bool:
    """Whether a claim stands."""
    cursor = await connection.execute(f"SELECT 1 FROM batch_chunks WHERE {MINE}", _mine(claimed))  # noqa: S608
    return await cursor.fetchone() is not None


async def renew(connection: Connection, claimed: Claim, lease: timedelta) -> bool:
    """Keep a chunk for another lease; False when the claim is void."""
    cursor = await connection.execute(
        f"UPDATE batch_chunks SET lease_until = clock_timestamp() + %s WHERE {MINE}",  # noqa: S608
        (lease, *_mine(claimed)),
    )
    return cursor.rowcount == 1


async def lock(connection: Connection, claimed: Claim, *, ended: bool = False) -> Chunk | None:
    """Lock the job of a chunk and then the chunk, in the order in which everybody does.

    Args:
        connection: In a transaction of the tenant.
        claimed: The chunk.
        ended: Whether to take only a chunk whose lease has ended.

    Returns:
        The chunk; None when the claim is void.
    """
    await connection.execute("SELECT 1 FROM batch_jobs WHERE id = %s FOR NO KEY UPDATE", (claimed.job_id,))
    cursor = await connection.execute(
        f"SELECT {CHUNK} FROM batch_chunks WHERE {MINE} "  # noqa: S608
        "AND (NOT %s OR lease_until < clock_timestamp()) FOR UPDATE",
        (*_mine(claimed), ended),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return _chunk(claimed, row)


async def release(connection: Connection, claimed: Claim, delay: timedelta) -> bool:
    """Give a chunk back, for no fault of its own; False when the claim is void."""
    cursor = await connection.execute(
        "UPDATE batch_chunks SET state = 'queued', holder = NULL, lease_until = NULL, "  # noqa: S608
        f"not_before = clock_timestamp() + %s WHERE {MINE}",
        (delay, *_mine(claimed)),
    )
    return cursor.rowcount == 1


async def requeue_dead(connection: Connection, claimed: Claim, *, loading: bool) -> None:
    """Queue a locked chunk whose holder died, perhaps while it loaded the model."""
    await connection.execute(
        "UPDATE batch_chunks SET state = 'queued', holder = NULL, lease_until = NULL, "  # noqa: S608
        f"deaths = deaths + %s, load_deaths = load_deaths + %s WHERE {MINE}",
        (int(not loading), int(loading), *_mine(claimed)),
    )


async def divide(connection: Connection, claimed: Claim, halves: Sequence[ChunkInput], deaths: int) -> None:
    """Put two chunks in the place of a locked one; they come before what was queued after it."""
    await connection.execute(
        f"UPDATE batch_chunks SET state = 'divided', holder = NULL, lease_until = NULL WHERE {MINE}",  # noqa: S608
        _mine(claimed),
    )
    for half in halves:
        await _add_part(connection, claimed, half, deaths)


async def cut(connection: Connection, chunk: Chunk, first: ChunkInput, rest: ChunkInput) -> None:
    """Leave a locked chunk its first items, which were scored, and queue the others before what was queued after it.

    Its deaths are not held against them: an item among them that kills does so again, and workers are restarted often
    while the items of a chunk are scored in many turns.
    """
    await connection.execute(
        f"UPDATE batch_chunks SET {', '.join(f'{name} = %s' for name in PART)} WHERE {MINE}",  # noqa: S608
        (*placed(first), *_mine(chunk.claim)),
    )
    await _add_part(connection, chunk.claim, rest, deaths=0)


async def close(
    connection: Connection, claimed: Claim, result_key: str | None = None, seconds: float | None = None
) -> bool:
    """Mark a chunk as done; False when the claim is void.

    Args:
        connection: In a transaction of the tenant.
        claimed: The chunk.
        result_key: Of the object with its results.
        seconds: From its claim to them.
    """
    cursor = await connection.execute(
        "UPDATE batch_chunks SET state = 'done', holder = NULL, lease_until = NULL, "  # noqa: S608
        f"result_key = %s, seconds = %s WHERE {MINE}",
        (result_key, seconds, *_mine(claimed)),
    )
    return cursor.rowcount == 1


async def add_results(connection: Connection, job: Job, results: Sequence[ItemResult]) -> int:
    """Store results of a job that are not there yet; return how many that were."""
    cursor = await connection.execute(
        """
        INSERT INTO batch_results (job_id, item, version, state, output, error)
        SELECT %s, item, %s, state,
            CASE state WHEN 'succeeded' THEN answer END, CASE state WHEN 'failed' THEN answer END
        FROM ROWS FROM (unnest(%s::bigint[]), unnest(%s::text[]), json_array_elements(%s::json))
            AS given (item, state, answer)
        ON CONFLICT DO NOTHING
        """,
        (
            *(job.id, job.model["version"], [one.item for one in results], [one.state for one in results]),
            f"[{','.join(_answer(one) for one in results)}]",  # psycopg takes long to quote an array of texts
        ),
    )
    return cursor.rowcount


def _answer(result: ItemResult) -> str:
    """Return the JSON of a result; nothing, which cannot be stored, when it has not what its state says."""
    return (result.output if result.state == "succeeded" else result.error) or ""


async def grow(connection: Connection, job: Job, items: int) -> None:
    """Add to the items of a locked job."""
    await connection.execute("UPDATE batch_jobs SET items = items + %s WHERE id = %s", (items, job.id))


async def summarize(connection: Connection, job: Job, summary: dict[str, Any]) -> None:
    """Add to what followed the end of a locked job."""
    cursor = await connection.execute("SELECT summary FROM batch_jobs WHERE id = %s", (job.id,))
    (row,) = await cursor.fetchall()
    whole = row["summary"] or {}  # not by the server, whose objects have no order
    for name, value in summary.items():
        before = whole.get(name)
        whole[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    await connection.execute("UPDATE batch_jobs SET summary = %s WHERE id = %s", (Json(whole), job.id))


async def count(connection: Connection, job: Job, succeeded: int, failed: int) -> Job:
    """Add to the counts of a locked job; the last results end it, unless more items may come."""
    cursor = await connection.execute(
        sql.SQL(
            """
            UPDATE batch_jobs SET succeeded = succeeded + %(succeeded)s, failed = failed + %(failed)s,
                state = CASE WHEN whole.whole THEN 'completed' ELSE state END,
                finished_at = CASE WHEN whole.whole THEN now() END
            FROM (
                SELECT CASE WHEN succeeded + failed + %(all)s = items THEN NOT EXISTS (
                    SELECT FROM batch_chunks WHERE job_id = %(job)s AND state IN ('queued', 'running')
                ) ELSE false END AS whole
                FROM batch_jobs WHERE id = %(job)s
            ) whole
            WHERE id = %(job)s RETURNING {}
            """
        ).format(COLUMNS),
        {"succeeded": succeeded, "failed": failed, "all": succeeded + failed, "job": job.id},
    )
    (row,) = await cursor.fetchall()
    after = Job(**row)
    await queue_finish(connection, after)
    return after


async def fail(connection: Connection, job: Job, reason: str, error: str) -> Job:
    """End a locked job that cannot be run: each item without a result gets a failed one.

    Args:
        connection: In a transaction of the tenant.
        job: The job.
        reason: Why, of the job.
        error: Why, of each item, as JSON.
    """
    cursor = await connection.execute(
        """
        INSERT INTO batch_results (job_id, item, version, state, error)
        SELECT c.job_id, unnest(coalesce(
                c.items, ARRAY(SELECT generate_series(c.first_item, c.first_item + c.item_count - 1)))),
            %s, 'failed', %s::json
        FROM batch_chunks c WHERE c.job_id = %s AND c.state IN ('queued', 'running')
        """,
        (job.model["version"], error, job.id),
    )
    failed = cursor.rowcount
    await connection.execute(
        "UPDATE batch_chunks SET state = 'done', holder = NULL, lease_until = NULL "
        "WHERE job_id = %s AND state IN ('queued', 'running')",
        (job.id,),
    )
    ended = await connection.execute(
        sql.SQL(
            "UPDATE batch_jobs SET state = 'failed', failed = failed + %s, error = %s, finished_at = now() "
            "WHERE id = %s RETURNING {}"
        ).format(COLUMNS),
        (failed, reason, job.id),
    )
    (row,) = await ended.fetchall()
    after = Job(**row)
    await queue_finish(connection, after)
    return after


async def expired(connection: Connection, most: int) -> list[Claim]:
    """Return chunks of all tenants whose leases have ended."""
    cursor = await connection.execute("SELECT * FROM expired_batch_chunks(%s)", (most,))
    rows = await cursor.fetchall()
    return [Claim(row["tenant_id"], row["job_id"], row["number"], row["claim"]) for row in rows]


async def old(connection: Connection, retention: timedelta, most: int) -> list[tuple[str, UUID]]:
    """Return jobs of all tenants, with their tenants, that ended longer ago than `retention`."""
    cursor = await connection.execute("SELECT * FROM old_batch_jobs(%s, %s)", (retention, most))
    return [(row["tenant_id"], row["id"]) for row in await cursor.fetchall()]


async def _add_part(connection: Connection, claimed: Claim, part: ChunkInput, deaths: int) -> None:
    """Queue a part of a locked chunk of a locked job in the chunk's place."""
    await connection.execute(
        """
        INSERT INTO batch_chunks
            (job_id, number, first_item, item_count, items, input, source, kind, deaths, queued_at)
        SELECT job_id, (SELECT max(number) + 1 FROM batch_chunks WHERE job_id = c.job_id), %s, %s, %s, %s, %s, %s,
            %s, c.queued_at
        FROM batch_chunks c WHERE c.job_id = %s AND c.number = %s
        """,
        (*placed(part), deaths, claimed.job_id, claimed.number),
    )


def _chunk(claimed: Claim, row: DictRow) -> Chunk:
    return Chunk(
        claimed,
        numbers_of(row),
        **{name: row[name] for name in ("input", "deaths", "queued_at", "source", "kind", "load_deaths")},
    )


def _mine(claimed: Claim) -> tuple[UUID, int, int]:
    return claimed.job_id, claimed.number, claimed.claim
