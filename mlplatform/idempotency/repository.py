"""The table of answers kept for repeated requests, of the tenant of the transaction."""

from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

PRUNE_BATCH = 100


async def try_lock(connection: AsyncConnection[DictRow], route: str, key: str) -> bool:
    """Take the key until the transaction ends; False when another transaction has it."""
    cursor = await connection.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(jsonb_build_array("
        "'idempotency', current_setting('ml.tenant'), %s::text, %s::text)::text, 0)) AS locked",
        (route, key),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row["locked"])


async def find(connection: AsyncConnection[DictRow], route: str, key: str, retention: timedelta) -> DictRow | None:
    """Return `request_sha256`, `status` and `response` of an earlier request."""
    cursor = await connection.execute(
        """
        SELECT request_sha256, status, response FROM idempotency_keys
        WHERE route = %s AND key = %s AND created_at > now() - %s
        """,
        (route, key, retention),
    )
    return await cursor.fetchone()


async def save(
    connection: AsyncConnection[DictRow],
    route: str,
    key: str,
    *,
    request_sha256: bytes,
    status: int,
    response: Any,  # noqa: ANN401 (any JSON)
) -> None:
    """Keep an answer, in the place of one that is too old to count."""
    await connection.execute(
        """
        INSERT INTO idempotency_keys (route, key, request_sha256, status, response) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (tenant_id, route, key) DO UPDATE SET request_sha256 = excluded.request_sha256,
            status = excluded.status, response = excluded.response, created_at = excluded.created_at
        """,
        (route, key, request_sha256, status, Jsonb(response)),
    )


async def prune(connection: AsyncConnection[DictRow], retention: timedelta) -> None:
    """Delete some answers that are too old to count; more than each request adds, so that none pile up."""
    await connection.execute(
        """
        DELETE FROM idempotency_keys WHERE (route, key) IN (
            SELECT route, key FROM idempotency_keys WHERE created_at < now() - %s
            ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (retention, PRUNE_BATCH),
    )
