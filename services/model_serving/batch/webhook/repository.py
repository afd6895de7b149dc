"""The statements about deliveries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection: TypeAlias = AsyncConnection[DictRow]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of `batch_deliveries` under way.

    Attributes:
        event: The job as it ended.
        attempts: How often it was begun, this time included.
    """

    tenant_id: str
    id: UUID
    job_id: UUID
    url: str
    event: dict[str, Any]
    attempts: int
    created_at: datetime


async def claim(connection: Connection, busy: timedelta) -> tuple[str, UUID] | None:
    """Take the next delivery, of whichever tenant; None when none is due.

    Args:
        connection: In a transaction of no tenant.
        busy: How long nobody else takes it, nor another one of that tenant.
    """
    cursor = await connection.execute("SELECT * FROM claim_batch_delivery(%s)", (busy,))
    row = await cursor.fetchone()
    return None if row is None else (row["of_tenant"], row["of_delivery"])


async def read(connection: Connection, delivery: UUID) -> Delivery | None:
    """Return a delivery of the tenant; None when its job was deleted."""
    cursor = await connection.execute(
        "SELECT tenant_id, id, job_id, url, event, attempts, created_at FROM batch_deliveries WHERE id = %s",
        (delivery,),
    )
    row = await cursor.fetchone()
    return None if row is None else Delivery(**row)


async def settle(connection: Connection, delivery: Delivery, state: str, error: str | None) -> None:
    """End a delivery, unless somebody else has begun it again meanwhile."""
    await connection.execute(
        "UPDATE batch_deliveries SET state = %s, error = %s, busy_until = NULL, finished_at = now() "
        "WHERE id = %s AND attempts = %s AND state = 'pending'",
        (state, error, delivery.id, delivery.attempts),
    )


async def postpone(connection: Connection, delivery: Delivery, delay: timedelta, error: str) -> None:
    """Try a delivery again later, unless somebody else has begun it again meanwhile."""
    await connection.execute(
        "UPDATE batch_deliveries SET error = %s, busy_until = NULL, due_at = clock_timestamp() + %s "
        "WHERE id = %s AND attempts = %s AND state = 'pending'",
        (error, delay, delivery.id, delivery.attempts),
    )


async def of_job(connection: Connection, job: UUID) -> list[DictRow]:
    """Return the deliveries of a job of the tenant, newest first."""
    cursor = await connection.execute(
        "SELECT id, url, state, attempts, error, created_at, finished_at, "
        "CASE WHEN state = 'pending' THEN due_at END AS due_at "
        "FROM batch_deliveries WHERE job_id = %s ORDER BY number DESC LIMIT 100",
        (job,),
    )
    return await cursor.fetchall()
