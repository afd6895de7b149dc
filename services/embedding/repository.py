"""SQL of the embedding service."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]
Key = tuple[str, str]

# Any constant will do, as long as nothing else takes the same advisory lock.
REGISTRATION_LOCK = 5_215_883_004


async def lock_registration(connection: Connection) -> None:
    """Wait until no other replica registers the default model; the lock ends with the transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (REGISTRATION_LOCK,))


async def find_active_space(connection: Connection) -> DictRow | None:
    """Return the active embedding space."""
    cursor = await connection.execute(
        "SELECT id, model, model_version, digest, dim FROM embedding_spaces WHERE state = 'active'"
    )
    return await cursor.fetchone()


async def create_space(connection: Connection, model: str, version: str, digest: str, dim: int) -> int:
    """Return the id of the space of these weights, made when missing."""
    cursor = await connection.execute(
        "SELECT create_embedding_space(%s, %s, %s, %s) AS id", (model, version, digest, dim)
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("create_embedding_space returned nothing")
    return int(row["id"])


async def read_pending(connection: Connection, keys: Sequence[Key]) -> list[DictRow]:
    """Return those of the tenant's items that wait for an embedding: entity_type, entity_id, text, content_sha256."""
    cursor = await connection.execute(
        """
        SELECT i.entity_type, i.entity_id, i.text, i.content_sha256
        FROM unnest(%s::text[], %s::text[]) AS wanted (entity_type, entity_id)
        JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
            AND i.entity_type = wanted.entity_type AND i.entity_id = wanted.entity_id
        WHERE i.state = 'pending'
        """,
        ([entity_type for entity_type, _ in keys], [entity_id for _, entity_id in keys]),
    )
    return await cursor.fetchall()


async def save_embeddings(
    connection: Connection, space_id: int, rows: Sequence[tuple[str, str, str, str]]
) -> list[DictRow]:
    """Store vectors of the tenant's items and mark the items embedded.

    An item whose text has changed meanwhile is left alone: its vector is of a text that nobody will look for. The
    items are locked in the order of their keys, so that two nodes with the same items never wait for each other.

    Args:
        connection: A transaction of the tenant.
        space_id: The space.
        rows: entity_type, entity_id, content_sha256, and the vector as pgvector writes it, each item at most once.

    Returns:
        The items that now have this vector: entity_type, entity_id, content_sha256.
    """
    statement = sql.SQL(
        """
        WITH fresh AS (
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
                AS f (entity_type, entity_id, content_sha256, embedding)
        ), current AS (
            SELECT i.tenant_id, f.* FROM fresh f
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
                AND i.entity_type = f.entity_type AND i.entity_id = f.entity_id
                AND i.content_sha256 = f.content_sha256
            ORDER BY i.entity_type, i.entity_id
            FOR UPDATE OF i
        ), stored AS (
            INSERT INTO {table} AS e (tenant_id, entity_type, entity_id, content_sha256, embedding)
            SELECT tenant_id, entity_type, entity_id, content_sha256, embedding::halfvec FROM current
            ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
            SET content_sha256 = excluded.content_sha256, embedding = excluded.embedding
            RETURNING e.tenant_id, e.entity_type, e.entity_id
        )
        UPDATE search_items i SET state = 'embedded', error = NULL
        FROM stored s
        WHERE i.tenant_id = s.tenant_id AND i.entity_type = s.entity_type AND i.entity_id = s.entity_id
        RETURNING i.entity_type, i.entity_id, i.content_sha256
        """
    ).format(table=sql.Identifier(f"embeddings_{space_id}"))
    columns = list(map(list, zip(*rows, strict=True))) or [[], [], [], []]
    cursor = await connection.execute(statement, columns)
    return await cursor.fetchall()


async def mark_failed(connection: Connection, failures: Sequence[tuple[str, str, str, str]]) -> None:
    """Mark the tenant's items as failed unless their text has changed meanwhile.

    Args:
        connection: A transaction of the tenant.
        failures: entity_type, entity_id, content_sha256 and the reason.
    """
    columns: list[Any] = list(map(list, zip(*failures, strict=True)))
    await connection.execute(
        """
        UPDATE search_items i SET state = 'failed', error = f.reason
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
            AS f (entity_type, entity_id, content_sha256, reason)
        WHERE i.tenant_id = current_setting('ml.tenant') AND i.entity_type = f.entity_type
            AND i.entity_id = f.entity_id AND i.content_sha256 = f.content_sha256
        """,
        columns,
    )


async def list_tenants(connection: Connection) -> list[str]:
    """Return every tenant."""
    cursor = await connection.execute("SELECT tenant_id FROM tenants ORDER BY tenant_id")
    return [row["tenant_id"] for row in await cursor.fetchall()]


async def claim_overdue(connection: Connection, *, older_than: timedelta, limit: int) -> list[DictRow]:
    """Return the tenant's items that are pending for too long, and make their wait start anew.

    Rows that another node is just claiming are skipped.

    Args:
        connection: A transaction of the tenant.
        older_than: Age at which an item's event counts as lost.
        limit: Most items.

    Returns:
        entity_type, entity_id, content_sha256.
    """
    cursor = await connection.execute(
        """
        UPDATE search_items i SET queued_at = now()
        FROM (
            SELECT tenant_id, entity_type, entity_id FROM search_items
            WHERE tenant_id = current_setting('ml.tenant') AND state = 'pending' AND queued_at < now() - %s
            ORDER BY queued_at LIMIT %s
            FOR UPDATE SKIP LOCKED
        ) overdue
        WHERE i.tenant_id = overdue.tenant_id AND i.entity_type = overdue.entity_type
            AND i.entity_id = overdue.entity_id
        RETURNING i.entity_type, i.entity_id, i.content_sha256
        """,
        (older_than, limit),
    )
    return await cursor.fetchall()
