"""SQL of the search service. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from services.search.filters import Filters
from services.search.items import Item, Key

Connection = AsyncConnection[DictRow]

PENDING_LOOKED_AT = 1000
"""Pending items that are compared with the filters of a query; with more of them the answer counts as incomplete."""


async def add_tenant(connection: Connection) -> None:
    """List the tenant, so that loops over all tenants find it."""
    await connection.execute(
        "INSERT INTO tenants (tenant_id) VALUES (current_setting('ml.tenant')) ON CONFLICT DO NOTHING"
    )


async def save_items(connection: Connection, items: Sequence[Item]) -> list[DictRow]:
    """Insert or replace items. One whose text is unchanged keeps its embedding.

    Rows are locked in the order of their keys, so that two requests with the same items never wait for each other.

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
    """Delete items; their embeddings go with them.

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


async def find_item(connection: Connection, key: Key) -> DictRow | None:
    """Return an item with its state."""
    cursor = await connection.execute(
        """
        SELECT entity_type, entity_id, text, metadata, tags, state, error, updated_at, generation
        FROM search_items
        WHERE tenant_id = current_setting('ml.tenant') AND entity_type = %s AND entity_id = %s
        """,
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
    """Return id, model, model_version, digest and dim of the space to search."""
    cursor = await connection.execute(
        "SELECT id, model, model_version, digest, dim FROM embedding_spaces WHERE state = 'active'"
    )
    return await cursor.fetchone()


async def count_matching(connection: Connection, filters: Filters, limit: int) -> int:
    """Count the embedded items that meet the filters, up to a limit."""
    cursor = await connection.execute(
        "SELECT count(*) AS items FROM matching_search_items(%s::text[], %s::text[], %s::jsonb, %s)",
        (*_matching(filters), limit),
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["items"])


async def has_pending(connection: Connection, filters: Filters) -> bool:
    """Whether items that meet the filters still wait for their embedding, or so many wait that it is likely."""
    condition, values = _conditions(filters)
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT count(*) > %s OR coalesce(bool_or({condition}), false) AS pending
            FROM (
                SELECT entity_type, tags, metadata FROM search_items
                WHERE tenant_id = current_setting('ml.tenant') AND state = 'pending'
                LIMIT %s
            ) i
            """
        ).format(condition=condition),
        (PENDING_LOOKED_AT, *values, PENDING_LOOKED_AT + 1),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row["pending"])


async def search_exact(
    connection: Connection, space_id: int, vector: str, filters: Filters, limit: int
) -> list[DictRow]:
    """Compare the query with every item that meets the filters.

    The materialised steps keep the planner from the HNSW index, which may miss items.

    Args:
        connection: A transaction of the tenant.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.

    Returns:
        entity_type, entity_id, text, metadata, tags and score, the best first.
    """
    statement = sql.SQL(
        """
        WITH matching AS MATERIALIZED (
            SELECT * FROM matching_search_items(%s::text[], %s::text[], %s::jsonb, NULL)
        ), compared AS MATERIALIZED (
            SELECT e.entity_type, e.entity_id, e.embedding <=> %s::halfvec AS distance
            FROM matching m JOIN {table} e ON e.tenant_id = current_setting('ml.tenant')
                AND e.entity_type = m.entity_type AND e.entity_id = m.entity_id
        ), nearest AS MATERIALIZED (
            SELECT * FROM compared ORDER BY distance, entity_type, entity_id LIMIT %s
        )
        SELECT i.entity_type, i.entity_id, i.text, i.metadata, i.tags, 1 - n.distance AS score
        FROM nearest n JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
            AND i.entity_type = n.entity_type AND i.entity_id = n.entity_id
        ORDER BY n.distance, n.entity_type, n.entity_id
        """
    ).format(table=_embeddings(space_id))
    cursor = await connection.execute(statement, (*_matching(filters), vector, limit))
    return await cursor.fetchall()


async def search_hnsw(
    connection: Connection, space_id: int, vector: str, filters: Filters, limit: int, *, max_tuples: int
) -> list[DictRow]:
    """Walk the HNSW index until enough items meet the filters or `max_tuples` were visited.

    Relaxed order with a sort after it found more of the true neighbours than strict order for the same work. `+ 0`
    makes the planner sort, which takes the relaxed order for a true one (pgvector's README, Iterative Index Scans).

    Args:
        connection: A transaction of the tenant.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.
        max_tuples: Vectors that may be visited.

    Returns:
        entity_type, entity_id, text, metadata, tags and score, the best first; maybe fewer than exist.
    """
    condition, values = _conditions(filters)
    await connection.execute(
        """
        SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true),
            set_config('hnsw.max_scan_tuples', %s, true), set_config('enable_sort', 'off', true)
        """,
        (str(min(max(2 * limit, 100), 1000)), str(max_tuples)),
    )
    statement = sql.SQL(
        """
        WITH nearest AS MATERIALIZED (
            SELECT i.entity_type, i.entity_id, i.text, i.metadata, i.tags, e.embedding <=> %s::halfvec AS distance
            FROM {table} e JOIN search_items i ON i.tenant_id = e.tenant_id AND i.entity_type = e.entity_type
                AND i.entity_id = e.entity_id
            WHERE e.tenant_id = current_setting('ml.tenant') AND i.state = 'embedded' AND {condition}
            ORDER BY e.embedding <=> %s::halfvec
            LIMIT %s
        )
        SELECT entity_type, entity_id, text, metadata, tags, 1 - distance AS score
        FROM nearest ORDER BY distance + 0, entity_type, entity_id
        """
    ).format(table=_embeddings(space_id), condition=condition)
    cursor = await connection.execute(statement, (vector, *values, vector, limit))
    return await cursor.fetchall()


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")


def _matching(filters: Filters) -> tuple[Any, Any, Any]:
    """Return the arguments of `matching_search_items`."""
    types = None if filters.entity_types is None else list(filters.entity_types)
    return types, list(filters.tags) or None, Jsonb(filters.metadata_documents())


def _conditions(filters: Filters) -> tuple[sql.Composable, list[Any]]:
    """Return the filters as a condition on `i`, and its values."""
    parts: list[sql.Composable] = [sql.SQL("true")]
    values: list[Any] = []
    if filters.entity_types is not None:
        parts.append(sql.SQL("i.entity_type = ANY (%s::text[])"))
        values.append(list(filters.entity_types))
    if filters.tags:
        parts.append(sql.SQL("i.tags @> %s::text[]"))
        values.append(list(filters.tags))
    for alternatives in filters.metadata_documents():
        parts.append(sql.SQL("i.metadata @> ANY (%s::jsonb[])"))
        values.append([Jsonb(document) for document in alternatives])
    return sql.SQL(" AND ").join(parts), values
