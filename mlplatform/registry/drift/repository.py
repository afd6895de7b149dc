"""The SQL of drift."""

from datetime import timedelta

from psycopg.rows import DictRow

from mlplatform.registry.repository import Connection


async def stamps(connection: Connection, overdue: timedelta) -> list[DictRow]:
    """Say of each model in the ledger how far it came, whether a promotion is open, and whether that one is overdue."""
    cursor = await connection.execute(
        """
        SELECT model, count(*) FILTER (WHERE state IN ('committed', 'repaired')) AS done,
            bool_or(state = 'intent') AS is_open,
            bool_or(state = 'intent' AND started_at < now() - %s) AS is_overdue
        FROM model_promotions GROUP BY model
        """,
        (overdue,),
    )
    return await cursor.fetchall()


async def open_incidents(connection: Connection) -> list[DictRow]:
    """Read the incidents that are not over."""
    cursor = await connection.execute(
        """
        SELECT id, model, alias, kind, recorded, found, detected_at FROM registry_drift
        WHERE resolved_at IS NULL ORDER BY id
        """
    )
    return await cursor.fetchall()


async def open_incident(
    connection: Connection, *, model: str, alias: str, kind: str, recorded: str | None, found: str | None
) -> DictRow | None:
    """Write an incident; None when another replica has written it."""
    cursor = await connection.execute(
        """
        INSERT INTO registry_drift (model, alias, kind, recorded, found) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (model, alias) WHERE resolved_at IS NULL DO NOTHING
        RETURNING id, model, alias, kind, recorded, found, detected_at
        """,
        (model, alias, kind, recorded, found),
    )
    return await cursor.fetchone()


async def resolve(connection: Connection, incident_id: int) -> bool:
    """Note that an incident is over; False when another replica did."""
    cursor = await connection.execute(
        "UPDATE registry_drift SET resolved_at = now() WHERE id = %s AND resolved_at IS NULL", (incident_id,)
    )
    return cursor.rowcount == 1
