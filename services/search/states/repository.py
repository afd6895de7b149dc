"""SQL of the states of items. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from services.search.items import Key

Connection = AsyncConnection[DictRow]


async def list_items(
    connection: Connection,
    *,
    state: str | None,
    entity_type: str | None,
    after: Key | None,
    limit: int,
    is_truncated: sql.Composable,
) -> list[DictRow]:
    """Return items in the order of their keys, without their texts.

    Args:
        connection: A transaction of the tenant.
        state: Only items in this state.
        entity_type: Only items of this kind.
        after: Only items behind this key.
        limit: Most items.
        is_truncated: Condition on an item `i`.

    Returns:
        entity_type, entity_id, state, error, truncated, generation and updated_at.
    """
    after_type, after_id = after or (None, None)
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT entity_type, entity_id, state, error, {truncated} AS truncated, generation, updated_at
            FROM search_items i
            WHERE tenant_id = current_setting('ml.tenant')
                AND (%(state)s::text IS NULL OR state = %(state)s)
                AND (%(type)s::text IS NULL OR entity_type = %(type)s)
                AND (%(after_type)s::text IS NULL OR (entity_type, entity_id) > (%(after_type)s, %(after_id)s::text))
            ORDER BY entity_type, entity_id
            LIMIT %(limit)s
            """
        ).format(truncated=is_truncated),
        {"state": state, "type": entity_type, "after_type": after_type, "after_id": after_id, "limit": limit},
    )
    return await cursor.fetchall()


async def count_unfinished(connection: Connection) -> dict[str, int]:
    """Count the items that cannot be found by their vector, by state: those that wait and those that failed."""
    cursor = await connection.execute(
        """
        SELECT
            (SELECT count(*) FROM search_items
             WHERE tenant_id = current_setting('ml.tenant') AND state = 'pending') AS pending,
            (SELECT count(*) FROM search_items
             WHERE tenant_id = current_setting('ml.tenant') AND state = 'failed') AS failed
        """
    )
    row = await cursor.fetchone()
    return {} if row is None else dict(row)


async def retry_failed(
    connection: Connection, *, entity_type: str | None, entity_ids: Sequence[str] | None, limit: int
) -> list[DictRow]:
    """Make failed items wait for their embedding anew.

    Args:
        connection: A transaction of the tenant.
        entity_type: Only items of this kind.
        entity_ids: Only these items.
        limit: Most items.

    Returns:
        entity_type, entity_id and content_sha256.
    """
    cursor = await connection.execute(
        """
        WITH given_up AS (
            SELECT tenant_id, entity_type, entity_id FROM search_items
            WHERE tenant_id = current_setting('ml.tenant') AND state = 'failed'
                AND (%(type)s::text IS NULL OR entity_type = %(type)s)
                AND (%(ids)s::text[] IS NULL OR entity_id = ANY (%(ids)s::text[]))
            ORDER BY entity_type, entity_id
            LIMIT %(limit)s
            FOR UPDATE
        )
        UPDATE search_items i SET state = 'pending', error = NULL, queued_at = now()
        FROM given_up g
        WHERE i.tenant_id = g.tenant_id AND i.entity_type = g.entity_type AND i.entity_id = g.entity_id
        RETURNING i.entity_type, i.entity_id, i.content_sha256
        """,
        {"type": entity_type, "ids": None if entity_ids is None else list(entity_ids), "limit": limit},
    )
    return await cursor.fetchall()
