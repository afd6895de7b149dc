"""The SQL of approvals."""

from datetime import timedelta

from psycopg.rows import DictRow
from psycopg.sql import SQL

from mlplatform.registry.repository import Connection

COLUMNS = SQL("""id, model, version, stage, artifact_digest, decision, approver, identity, reason, decided_at,
    expires_at, expires_at <= now() AS expired""")


async def insert(
    connection: Connection,
    *,
    model: str,
    version: str,
    stage: str,
    artifact_digest: str,
    decision: str,
    approver: str,
    identity: str,
    reason: str | None,
    trace_id: str | None,
    holds: timedelta | None,
) -> DictRow:
    """Write a decision, and return the row."""
    cursor = await connection.execute(
        SQL("""
        INSERT INTO promotion_approvals (model, version, stage, artifact_digest, decision, approver, identity, reason,
            trace_id, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, now() + %s)
        RETURNING {}
        """).format(COLUMNS),
        (model, version, stage, artifact_digest, decision, approver, identity, reason, trace_id, holds),
    )
    (row,) = await cursor.fetchall()
    return row


async def on_version(
    connection: Connection, *, model: str, version: str, stage: str, artifact_digest: str
) -> list[DictRow]:
    """Read the decisions on one version and its artifacts, newest first."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM promotion_approvals
        WHERE model = %s AND version = %s AND stage = %s AND artifact_digest = %s ORDER BY id DESC
        """).format(COLUMNS),
        (model, version, stage, artifact_digest),
    )
    return await cursor.fetchall()


async def page(connection: Connection, model: str, limit: int, before: int | None) -> list[DictRow]:
    """Read a page of the decisions on a model, newest first."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM promotion_approvals
        WHERE model = %(model)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(limit)s
        """).format(COLUMNS),
        {"model": model, "before": before, "limit": limit},
    )
    return await cursor.fetchall()
