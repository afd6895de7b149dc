"""The statements about files with results, in transactions of their tenant."""

from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from services.model_serving.batch.jobs.repository import results
from services.model_serving.batch.tables.results import Format

Connection: TypeAlias = AsyncConnection[DictRow]

__all__ = ["Connection", "files", "names", "orders", "results"]


async def files(connection: Connection, job: UUID) -> dict[str, str]:
    """Return the keys of the files of a job by their form; none as long as it goes on."""
    cursor = await connection.execute(
        "SELECT summary FROM batch_jobs WHERE id = %s AND finished_at IS NOT NULL", (job,)
    )
    row = await cursor.fetchone()
    found: dict[str, str] = ((row and row["summary"]) or {}).get("results", {})
    return found


async def orders(connection: Connection, job: UUID, form: Format) -> list[str]:
    """Return the states of the chunks that write a form of the results as they are since the job ended."""
    cursor = await connection.execute(
        "SELECT state FROM batch_chunks WHERE job_id = %s AND kind = 'finish' AND state <> 'cancelled' "
        "AND (source -> 'forms')::jsonb ? %s",
        (job, form),
    )
    return [row["state"] for row in await cursor.fetchall()]


async def names(connection: Connection, job: UUID, first: int, last: int) -> dict[int, str]:
    """Return what the files of a range of items were called by those who sent them."""
    cursor = await connection.execute(
        "SELECT source FROM batch_chunks WHERE job_id = %s AND kind = 'score' AND source IS NOT NULL "
        "AND first_item <= %s AND coalesce(items[cardinality(items)], first_item + item_count - 1) >= %s",
        (job, last, first),
    )
    found: dict[int, str] = {}
    for row in await cursor.fetchall():
        source = row["source"]
        found |= {number: item["name"] for number, item in enumerate(source["items"], source["first"])}
    return found
