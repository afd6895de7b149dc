"""SQL of the index. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from services.search.items import Item, Key

Connection = AsyncConnection[DictRow]


async def add_tenant(connection: Connection) -> None:
    """List the tenant, so that loops over all tenants find it."""
    await connection.execute(
        "INSERT INTO tenants (tenant_id) VALUES (current_setting('ml.tenant')) ON CONFLICT DO NOTHING"
    )


async def save_items(connection: Connection, items: Sequence[Item]) -> list[DictRow]:
    """Insert or replace items. One whose text is unchanged keeps its embedding.

    Triggers index the words of new texts in the same transaction. Rows are locked in the order of their keys, so that
    two requests with the same items never wait for each other.

    Args:
        connection: A transaction of the tenant.
        items: With different keys.

    Returns:
        entity_type, entity_id, content_sha256 and state of each item.
    """
    # In binary, which takes a sixth of the time: an array in text is searched for what has to be quoted.
    cursor = await connection.execute(
        """
        INSERT INTO search_items AS i (tenant_id, entity_type, entity_id, text, metadata, tags, content_sha256)
        SELECT current_setting('ml.tenant'), n.entity_type, n.entity_id, n.text, n.metadata,
            ARRAY(SELECT jsonb_array_elements_text(n.tags)), n.content_sha256
        FROM unnest(%b::text[], %b::text[], %b::text[], %b::jsonb[], %b::jsonb[], %b::text[])
            AS n (entity_type, entity_id, text, metadata, tags, content_sha256)
        ORDER BY n.entity_type, n.entity_id
        ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE SET
            text = excluded.text, metadata = excluded.metadata, tags = excluded.tags,
            content_sha256 = excluded.content_sha256,
            state = CASE WHEN i.content_sha256 = excluded.content_sha256 AND i.state = 'embedded'
                THEN 'embedded' ELSE 'pending' END,
            error = NULL, updated_at = now(), queued_at = now(), generation = i.generation + 1
        RETURNING i.entity_type, i.entity_id, i.content_sha256, i.state
        """,
        (
            [item.entity_type for item in items],
            [item.entity_id for item in items],
            [item.text for item in items],
            [Jsonb(item.metadata) for item in items],
            [Jsonb(list(item.tags)) for item in items],
            [item.content_sha256 for item in items],
        ),
    )
    return await cursor.fetchall()


async def delete_items(connection: Connection, entity_type: str, entity_ids: Sequence[str]) -> list[DictRow]:
    """Delete items; their embeddings and words go with them.

    Returns:
        entity_type, entity_id and content_sha256 of those that existed.
    """
    cursor = await connection.execute(
        """
        WITH doomed AS (
            SELECT tenant_id, entity_type, entity_id FROM search_items
            WHERE tenant_id = current_setting('ml.tenant') AND entity_type = %s AND entity_id = ANY (%s::text[])
            ORDER BY entity_type, entity_id
            FOR UPDATE
        )
        DELETE FROM search_items i USING doomed d
        WHERE i.tenant_id = d.tenant_id AND i.entity_type = d.entity_type AND i.entity_id = d.entity_id
        RETURNING i.entity_type, i.entity_id, i.content_sha256
        """,
        (entity_type, list(entity_ids)),
    )
    return await cursor.fetchall()


async def find_item(connection: Connection, key: Key, is_truncated: sql.Composable) -> DictRow | None:
    """Return an item with its state.

    Args:
        connection: A transaction of the tenant.
        key: Of the item.
        is_truncated: Condition on the item `i`.
    """
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT entity_type, entity_id, text, metadata, tags, state, error, updated_at, generation,
                {truncated} AS truncated
            FROM search_items i
            WHERE tenant_id = current_setting('ml.tenant') AND entity_type = %s AND entity_id = %s
            """
        ).format(truncated=is_truncated),
        key,
    )
    return await cursor.fetchone()


async def count_states(connection: Connection, versions: Sequence[tuple[str, str, str]]) -> dict[str, int]:
    """Count the states of items, of those that still have the text that is meant.

    Args:
        connection: A transaction of the tenant.
        versions: entity_type, entity_id and content_sha256.
    """
    columns = list(map(list, zip(*versions, strict=True)))
    cursor = await connection.execute(
        """
        SELECT i.state, count(*) AS items
        FROM unnest(%s::text[], %s::text[], %s::text[]) AS v (entity_type, entity_id, content_sha256)
        JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = v.entity_type
            AND i.entity_id = v.entity_id AND i.content_sha256 = v.content_sha256
        GROUP BY i.state
        """,
        columns,
    )
    return {row["state"]: row["items"] for row in await cursor.fetchall()}


async def find_active_space(connection: Connection) -> DictRow | None:
    """Return id, model, model_version, digest and dim of the space to search, whose table is there in this transaction.

    It names the items, and reads none: a space is retired by one who has them alone.
    """
    cursor = await connection.execute(
        """
        SELECT id, model, model_version, digest, dim FROM embedding_spaces
        WHERE state = 'active' AND NOT EXISTS (SELECT FROM search_items LIMIT 0)
        """
    )
    return await cursor.fetchone()
