"""The statements about results of tables, in transactions of their tenant."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from services.model_serving.batch.tables.fault import Fault

Connection: TypeAlias = AsyncConnection[DictRow]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object with results.

    Attributes:
        key: Of the object.
        first: Number of the first item that may be in it.
        last: Of the last one.
    """

    key: str
    first: int
    last: int


async def stored(connection: Connection, job: UUID) -> list[Stored]:
    """Return the objects of a job in the order of their first items."""
    cursor = await connection.execute(
        """
        SELECT result_key AS key, first_item AS first, coalesce(items[cardinality(items)], first_item + item_count - 1)
            AS last FROM batch_chunks WHERE job_id = %s AND result_key IS NOT NULL ORDER BY first_item
        """,
        (job,),
    )
    return [Stored(**row) for row in await cursor.fetchall()]


async def failures(connection: Connection, job: UUID, first: int, last: int) -> dict[int, Fault]:
    """Return what went wrong with the items of a range that failed."""
    cursor = await connection.execute(
        "SELECT item, error::text AS error FROM batch_results "
        "WHERE job_id = %s AND item BETWEEN %s AND %s AND state = 'failed' ORDER BY item",
        (job, first, last),
    )
    return {row["item"]: _fault(row["error"]) for row in await cursor.fetchall()}


async def items(connection: Connection, job: UUID) -> int:
    """Return how many items a job has; none when it is gone."""
    cursor = await connection.execute("SELECT items FROM batch_jobs WHERE id = %s", (job,))
    row = await cursor.fetchone()
    return int(row["items"]) if row else 0


def _fault(error: str) -> Fault:
    found = orjson.loads(error)
    return Fault(found["code"], found["detail"])
