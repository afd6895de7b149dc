"""SQL of vectors. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from services.search.filters import Filters
from services.search.items import Key
from services.search.query.repository import Connection

Hit = tuple[str, str, float]
"""Entity type, entity id and score."""

EMBEDDED = sql.SQL(
    """
    (
        (
            SELECT NOT EXISTS (SELECT FROM search_items p
                    WHERE p.tenant_id = current_setting('ml.tenant') AND p.state = 'pending')
                AND NOT EXISTS (SELECT FROM search_items f
                    WHERE f.tenant_id = current_setting('ml.tenant') AND f.state = 'failed')
        ) OR EXISTS (
            SELECT FROM search_items i WHERE i.tenant_id = e.tenant_id AND i.entity_type = e.entity_type
                AND i.entity_id = e.entity_id AND i.state = 'embedded' OFFSET 0
        )
    )
    """
)
"""Whether the item of `e`, a vector, is embedded and does not wait for another vector.

Items are looked up only where the tenant has some that wait or failed; two small indexes tell. `OFFSET 0` has them
looked up one by one: without it Postgres would read all of the tenant's, for a hash.
"""
WORK_MEMORY = "32MB"
"""For one query. A walk ends early when the items it has seen do not fit; 20,000 take about half of this."""
BREADTH = 100
"""Vectors that a walk of a small index keeps in sight."""
LARGE_INDEX = 100_000
LARGE_BREADTH = 120
GROWTH = 0.7
"""Exponent by which more are kept in sight in a larger index. Of clustered vectors, recall@10 was 0.96 with 120 of
100,000 in sight, and of a million 0.73 with 140, 0.91 with 400 and 0.97 with 600."""
COMPARING = {"work_mem": WORK_MEMORY}
"""Settings of a transaction that compares vectors."""


async def search_exact(connection: Connection, space_id: int, vector: str, filters: Filters, limit: int) -> list[Hit]:
    """Compare the query with every item that meets the filters.

    The vector of each is read on its own: Postgres does not know how few items there are, and would rather read all
    vectors. It keeps from the HNSW index too, which may miss items.

    Args:
        connection: A transaction of the tenant, with the settings `COMPARING`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.

    Returns:
        The items and their cosine similarity, the best first.
    """
    statement = sql.SQL(
        """
        WITH compared AS MATERIALIZED (
            SELECT m.entity_type, m.entity_id, (
                SELECT e.embedding <=> %s::halfvec FROM {table} e
                WHERE e.tenant_id = current_setting('ml.tenant')
                    AND e.entity_type = m.entity_type AND e.entity_id = m.entity_id
            ) AS distance
            FROM matching_search_items(%s, NULL) m
        )
        SELECT entity_type, entity_id, 1 - distance FROM compared WHERE distance IS NOT NULL
        ORDER BY distance, entity_type, entity_id LIMIT %s
        """
    ).format(table=_embeddings(space_id))
    return await _hits(connection, statement, (vector, Jsonb(filters.document()), limit))


def walk_settings(limit: int, vectors: int, max_tuples: int) -> dict[str, str]:
    """Return the settings of a transaction that walks an HNSW index.

    The larger the index, the more of it has to be kept in sight for the same recall.

    Args:
        limit: Results that are looked for.
        vectors: In the index.
        max_tuples: Vectors that may be visited.
    """
    breadth = max(BREADTH, round(LARGE_BREADTH * (vectors / LARGE_INDEX) ** GROWTH))
    return {
        **COMPARING,
        "enable_sort": "off",
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.ef_search": str(min(max(limit, breadth), 1000)),
        "hnsw.max_scan_tuples": str(max_tuples),
    }


async def search_hnsw(connection: Connection, space_id: int, vector: str, filters: Filters, limit: int) -> list[Hit]:
    """Walk the HNSW index until enough items meet the filters, or as many were visited as may be.

    Relaxed order with a sort after it found more of the true neighbours than strict order for the same work (pgvector's
    README, Iterative Index Scans).

    Args:
        connection: A transaction of the tenant, with `walk_settings`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.

    Returns:
        Items and their cosine similarity, the best first; maybe fewer than exist.
    """
    walk, values = _walk(space_id, vector, filters, limit)
    return _sorted(await _hits(connection, walk, values))


async def search_hnsw_and_compare(
    connection: Connection, space_id: int, vector: str, filters: Filters, *, limit: int, keys: Sequence[Key]
) -> tuple[list[Hit], dict[Key, float]]:
    """Do what `search_hnsw` and `compare` do, in one statement, which saves about as much as it takes to compare.

    Args:
        connection: A transaction of the tenant, with `walk_settings`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions of what is walked to.
        limit: Most results of the walk.
        keys: Of the items to compare with.

    Returns:
        What the walk found, and the similarities of the items.
    """
    walk, values = _walk(space_id, vector, filters, limit)
    comparison, compared = _comparison(space_id, vector, keys)
    statement = sql.SQL("({walk}) UNION ALL ({comparison})").format(walk=walk, comparison=comparison)
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(statement, (*values, *compared))
    near: list[Hit] = []
    others: dict[Key, float] = {}
    for entity_type, entity_id, similarity, is_near in await cursor.fetchall():
        if is_near:
            near.append((entity_type, entity_id, similarity))
        else:
            others[entity_type, entity_id] = similarity
    return _sorted(near), others


async def compare(connection: Connection, space_id: int, vector: str, keys: Sequence[Key]) -> dict[Key, float]:
    """Return the cosine similarity of the query to some items, of those that are embedded.

    Args:
        connection: A transaction of the tenant.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        keys: Of the items.
    """
    comparison, values = _comparison(space_id, vector, keys)
    return {(kind, own): similarity for kind, own, similarity in await _hits(connection, comparison, values)}


def _walk(space_id: int, vector: str, filters: Filters, limit: int) -> tuple[sql.Composed, list[Any]]:
    joined: sql.Composable = sql.SQL("")
    condition: sql.Composable = EMBEDDED
    values: list[Any] = []
    if filters:
        part, values = filters.condition()
        joined = sql.SQL(
            """
            JOIN search_items i ON i.tenant_id = e.tenant_id AND i.entity_type = e.entity_type
                AND i.entity_id = e.entity_id
            """
        )
        condition = sql.SQL("i.state = 'embedded' AND {}").format(part)
    statement = sql.SQL(
        """
        SELECT e.entity_type, e.entity_id, 1 - (e.embedding <=> q.vector), true
        FROM (SELECT %s::halfvec AS vector) q CROSS JOIN {table} e {joined}
        WHERE e.tenant_id = current_setting('ml.tenant') AND {condition}
        ORDER BY e.embedding <=> q.vector
        LIMIT %s
        """
    ).format(table=_embeddings(space_id), joined=joined, condition=condition)
    return statement, [vector, *values, limit]


def _comparison(space_id: int, vector: str, keys: Sequence[Key]) -> tuple[sql.Composed, list[Any]]:
    statement = sql.SQL(
        """
        SELECT e.entity_type, e.entity_id, 1 - (e.embedding <=> %s::halfvec), false
        FROM unnest(%s::text[], %s::text[]) AS k (entity_type, entity_id)
        JOIN {table} e ON e.tenant_id = current_setting('ml.tenant') AND e.entity_type = k.entity_type
            AND e.entity_id = k.entity_id
        WHERE {embedded}
        """
    ).format(table=_embeddings(space_id), embedded=EMBEDDED)
    return statement, [vector, [key[0] for key in keys], [key[1] for key in keys]]


def _sorted(hits: Sequence[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: (-hit[2], hit[0], hit[1]))


async def _hits(connection: Connection, statement: sql.Composed, values: Sequence[Any]) -> list[Hit]:
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement, values)
        return [(entity_type, entity_id, score) for entity_type, entity_id, score, *_ in await cursor.fetchall()]


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")
