"""SQL of vectors. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from services.search.filters import Filters
from services.search.items import number_array
from services.search.query.repository import Connection


class Near(NamedTuple):
    """An item that is near the query.

    Attributes:
        entity_type: Its type.
        entity_id: Its id.
        score: Cosine similarity.
        number: By which words know it; None when it was not asked for.
    """

    entity_type: str
    entity_id: str
    score: float
    number: int | None = None


class Compared(NamedTuple):
    """An item that the query was compared with.

    Attributes:
        entity_type: Its type.
        entity_id: Its id.
        similarity: Cosine similarity; None while it is not embedded.
        number: By which words know it.
    """

    entity_type: str
    entity_id: str
    similarity: float | None
    number: int


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
NUMBER = sql.SQL(
    """
    (
        SELECT i.number FROM search_items i WHERE i.tenant_id = current_setting('ml.tenant')
            AND i.entity_type = n.entity_type AND i.entity_id = n.entity_id
    )
    """
)
"""Of the item of `n`."""
NO_NUMBER = sql.SQL("NULL::bigint")
WORK_MEMORY = "32MB"
"""For one query. A walk ends early when the items it has seen do not fit; 20,000 take about half of this."""
BREADTH = 100
"""Vectors that a walk of a small index keeps in sight."""
LARGE_INDEX = 100_000
LARGE_BREADTH = 130
"""With 120, recall@10 of two builds of one index was 0.955 and 0.968: which neighbours an index knows is chance."""
GROWTH = 0.7
"""Exponent by which more are kept in sight in a larger index. Of clustered vectors, recall@10 was 0.96 with 120 of
100,000 in sight, and of a million 0.73 with 140, 0.91 with 400 and 0.97 with 600."""
FILTERED_GROWTH = 0.9
"""The same exponent where there are filters, which leave less of what is in sight. With 652 of a million, recall@10 of
what a tenth of the items meet was 0.934 and 0.951 in two builds; in 100,000 items the walk goes on anyway, as so few
match, and it was 0.999."""
NARROW = 0.77
"""Share of what is kept in sight that does where words propose as much, which is compared with the query as well. Of
100,000 items, hybrid queries that kept 100 in sight had 97 of 100 results of those that kept 1,000, and with 130 had
98; queries by vectors alone had 94 and 96."""
COMPARING = {"work_mem": WORK_MEMORY}
"""Settings of a transaction that compares vectors."""


async def search_exact(
    connection: Connection, space_id: int, vector: str, filters: Filters, limit: int, *, numbered: bool = False
) -> list[Near]:
    """Compare the query with every item that meets the filters.

    The vector of each is read on its own: Postgres does not know how few items there are, and would rather read all
    vectors. It keeps from the HNSW index too, which may miss items.

    Args:
        connection: A transaction of the tenant, with the settings `COMPARING`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.
        numbered: Whether to read the numbers of the items.

    Returns:
        The items, the best first.
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
        ), nearest AS MATERIALIZED (
            SELECT entity_type, entity_id, distance FROM compared WHERE distance IS NOT NULL
            ORDER BY distance, entity_type, entity_id LIMIT %s
        )
        SELECT n.entity_type, n.entity_id, 1 - n.distance, {number} FROM nearest n
        ORDER BY n.distance, n.entity_type, n.entity_id
        """
    ).format(table=_embeddings(space_id), number=NUMBER if numbered else NO_NUMBER)
    return await _near(connection, statement, (vector, Jsonb(filters.document()), limit))


def walk_settings(
    limit: int, vectors: int, max_tuples: int, *, narrow: bool = False, filtered: bool = False
) -> dict[str, str]:
    """Return the settings of a transaction that walks an HNSW index.

    The larger the index, the more of it has to be kept in sight for the same recall.

    Args:
        limit: Results that are looked for.
        vectors: In the index.
        max_tuples: Vectors that may be visited.
        narrow: Whether fewer will do, since words propose as much.
        filtered: Whether some of what is visited will not do.
    """
    large = LARGE_BREADTH * (vectors / LARGE_INDEX) ** (FILTERED_GROWTH if filtered else GROWTH)
    breadth = max(BREADTH, round(NARROW * large if narrow else large))
    return {
        **COMPARING,
        "enable_sort": "off",
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.ef_search": str(min(max(limit, breadth), 1000)),
        "hnsw.max_scan_tuples": str(max_tuples),
    }


async def search_hnsw(
    connection: Connection, space_id: int, vector: str, filters: Filters, limit: int, *, numbered: bool = False
) -> list[Near]:
    """Walk the HNSW index until enough items meet the filters, or as many were visited as may be.

    Relaxed order with a sort after it found more of the true neighbours than strict order for the same work (pgvector's
    README, Iterative Index Scans).

    Args:
        connection: A transaction of the tenant, with `walk_settings`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions.
        limit: Most results.
        numbered: Whether to read the numbers of the items.

    Returns:
        The items, the best first; maybe fewer than exist.
    """
    walk, values = _walk(space_id, vector, filters, limit, numbered=numbered)
    return _sorted(await _near(connection, walk, values))


async def search_hnsw_and_compare(
    connection: Connection,
    space_id: int,
    vector: str,
    filters: Filters,
    *,
    limit: int,
    others: Collection[int],
    numbered: bool = False,
) -> tuple[list[Near], list[Compared]]:
    """Do what `search_hnsw` and `compare` do, in one statement, which saves about as much as it takes to compare.

    Args:
        connection: A transaction of the tenant, with `walk_settings`.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        filters: Conditions of what is walked to.
        limit: Most results of the walk.
        others: Numbers of the items to compare with.
        numbered: Whether to read the numbers of the items that it walks to.

    Returns:
        What the walk found, and what `compare` returns.
    """
    walk, values = _walk(space_id, vector, filters, limit, numbered=numbered)
    statement = b"(%b) UNION ALL (%b)" % (walk, _comparison(space_id))
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(statement, (*values, vector, number_array(others)))
    near: list[Near] = []
    compared: list[Compared] = []
    for *one, is_near in await cursor.fetchall():
        if is_near:
            near.append(Near(*one))
        else:
            compared.append(Compared(*one))
    return _sorted(near), compared


async def compare(connection: Connection, space_id: int, vector: str, others: Collection[int]) -> list[Compared]:
    """Compare the query with some items.

    Args:
        connection: A transaction of the tenant.
        space_id: The space of the vector.
        vector: The query as pgvector reads it.
        others: Numbers of the items.

    Returns:
        Those that exist, in no order.
    """
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_comparison(space_id), (vector, number_array(others)))
        return [Compared(*row[:4]) for row in await cursor.fetchall()]


def _walk(space_id: int, vector: str, filters: Filters, limit: int, *, numbered: bool) -> tuple[bytes, list[Any]]:
    if not filters:
        return _plain_walk(space_id, numbered=numbered), [vector, limit]
    condition, values = filters.condition()
    statement = sql.SQL(
        """
        SELECT e.entity_type, e.entity_id, 1 - (e.embedding <=> q.vector), {number}, true
        FROM (SELECT %s::halfvec AS vector) q CROSS JOIN {table} e
        JOIN search_items i ON i.tenant_id = e.tenant_id AND i.entity_type = e.entity_type
            AND i.entity_id = e.entity_id
        WHERE e.tenant_id = current_setting('ml.tenant') AND i.state = 'embedded' AND {condition}
        ORDER BY e.embedding <=> q.vector
        LIMIT %s
        """
    )
    number = sql.SQL("i.number") if numbered else NO_NUMBER
    composed = statement.format(number=number, table=_embeddings(space_id), condition=condition)
    return composed.as_bytes(), [vector, *values, limit]


@lru_cache
def _plain_walk(space_id: int, *, numbered: bool) -> bytes:
    return (
        sql.SQL(
            """
            SELECT n.entity_type, n.entity_id, n.similarity, {number}, true
            FROM (
                SELECT e.entity_type, e.entity_id, 1 - (e.embedding <=> q.vector) AS similarity
                FROM (SELECT %s::halfvec AS vector) q CROSS JOIN {table} e
                WHERE e.tenant_id = current_setting('ml.tenant') AND {embedded}
                ORDER BY e.embedding <=> q.vector
                LIMIT %s
            ) n
            """
        )
        .format(number=NUMBER if numbered else NO_NUMBER, table=_embeddings(space_id), embedded=EMBEDDED)
        .as_bytes()
    )


@lru_cache
def _comparison(space_id: int) -> bytes:
    return (
        sql.SQL(
            """
            SELECT i.entity_type, i.entity_id, CASE WHEN i.state = 'embedded' THEN (
                SELECT 1 - (e.embedding <=> %s::halfvec) FROM {table} e
                WHERE e.tenant_id = current_setting('ml.tenant')
                    AND e.entity_type = i.entity_type AND e.entity_id = i.entity_id
            ) END, i.number, false
            FROM unnest(%s::bigint[]) AS k (number)
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.number = k.number
            """
        )
        .format(table=_embeddings(space_id))
        .as_bytes()
    )


def _sorted(near: Sequence[Near]) -> list[Near]:
    return sorted(near, key=lambda one: (-one.score, one.entity_type, one.entity_id))


async def _near(connection: Connection, statement: sql.Composed | bytes, values: Sequence[Any]) -> list[Near]:
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement, values)
        return [Near(*row[:4]) for row in await cursor.fetchall()]


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")
