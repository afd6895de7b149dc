"""SQL of the embedding service."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]
Key = tuple[str, str]
Version = tuple[str, str, str, int]
"""entity_type, entity_id, content_sha256 and generation."""

STAGED_TYPES = ("text", "text", "text", "int8", "bytea", "bool")
"""Of the columns of a staged row. pgvector reads the binary form of a vector, and `bytea` passes it on as it is."""

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
    """Return those of the tenant's items that wait for an embedding.

    Returns:
        entity_type, entity_id, text, content_sha256 and generation.
    """
    cursor = await connection.execute(
        """
        SELECT i.entity_type, i.entity_id, i.text, i.content_sha256, i.generation
        FROM unnest(%s::text[], %s::text[]) AS wanted (entity_type, entity_id)
        JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
            AND i.entity_type = wanted.entity_type AND i.entity_id = wanted.entity_id
        WHERE i.state = 'pending'
        """,
        ([entity_type for entity_type, _ in keys], [entity_id for _, entity_id in keys]),
    )
    return await cursor.fetchall()


async def save_embeddings(
    connection: Connection, space_id: int, rows: Sequence[tuple[str, str, str, int, bytes, bool]]
) -> list[DictRow]:
    """Store vectors of the tenant's items and mark the items embedded.

    An item whose text has changed meanwhile is left alone: its vector is of a text that nobody will look for. So is
    one of an earlier generation than was read: it was deleted and made anew, and has an event of its own. The items
    are locked in the order of their keys, so that two nodes with the same items never wait for each other.

    Args:
        connection: A transaction of the tenant.
        space_id: The space.
        rows: A version, its vector as pgvector receives it, and whether the text was cut; each item at most once.

    Returns:
        The items that now have this vector: entity_type, entity_id, content_sha256 and truncated.
    """
    # A table of the session, so that its definition is written to the catalogue once for each connection.
    await connection.execute(
        """
        CREATE TEMPORARY TABLE IF NOT EXISTS staged_embeddings (
            entity_type text NOT NULL, entity_id text NOT NULL, content_sha256 text NOT NULL,
            generation bigint NOT NULL, embedding halfvec NOT NULL, truncated boolean NOT NULL
        ) ON COMMIT DELETE ROWS
        """
    )
    async with (
        connection.cursor() as cursor,
        cursor.copy("COPY pg_temp.staged_embeddings FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(STAGED_TYPES)
        for row in rows:
            await copy.write_row(row)
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH current AS (
                SELECT i.tenant_id, s.entity_type, s.entity_id, s.content_sha256, s.embedding, s.truncated
                FROM pg_temp.staged_embeddings s
                JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
                    AND i.entity_type = s.entity_type AND i.entity_id = s.entity_id
                    AND i.content_sha256 = s.content_sha256 AND i.generation >= s.generation
                ORDER BY i.entity_type, i.entity_id
                FOR UPDATE OF i
            ), stored AS (
                INSERT INTO {table} AS e (tenant_id, entity_type, entity_id, content_sha256, embedding, truncated)
                SELECT tenant_id, entity_type, entity_id, content_sha256, embedding, truncated FROM current
                ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
                SET content_sha256 = excluded.content_sha256, embedding = excluded.embedding,
                    truncated = excluded.truncated
                RETURNING e.tenant_id, e.entity_type, e.entity_id, e.truncated
            )
            UPDATE search_items i SET state = 'embedded', error = NULL
            FROM stored s
            WHERE i.tenant_id = s.tenant_id AND i.entity_type = s.entity_type AND i.entity_id = s.entity_id
            RETURNING i.entity_type, i.entity_id, i.content_sha256, s.truncated
            """
        ).format(table=_embeddings(space_id))
    )
    return await cursor.fetchall()


async def mark_failed(
    connection: Connection, space_id: int, failures: Sequence[tuple[str, str, str, int, str]]
) -> None:
    """Mark the tenant's items as failed unless their text has changed meanwhile; drop the vector of their last text.

    Args:
        connection: A transaction of the tenant.
        space_id: The space.
        failures: A version and the reason, each item at most once.
    """
    columns: list[Any] = list(map(list, zip(*failures, strict=True)))
    await connection.execute(
        sql.SQL(
            """
            WITH failed AS (
                UPDATE search_items i SET state = 'failed', error = f.reason
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
                    AS f (entity_type, entity_id, content_sha256, generation, reason)
                WHERE i.tenant_id = current_setting('ml.tenant') AND i.entity_type = f.entity_type
                    AND i.entity_id = f.entity_id AND i.content_sha256 = f.content_sha256
                    AND i.generation >= f.generation AND i.state = 'pending'
                RETURNING i.tenant_id, i.entity_type, i.entity_id
            )
            DELETE FROM {table} e USING failed f
            WHERE e.tenant_id = f.tenant_id AND e.entity_type = f.entity_type AND e.entity_id = f.entity_id
            """
        ).format(table=_embeddings(space_id)),
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


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")
