"""SQL of queries. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from services.search.filters import Filters
from services.search.items import Key
from services.search.query.change import Change
from services.search.query.highlights import GAP, START, STOP

Connection = AsyncConnection[DictRow]
PENDING_LOOKED_AT = 1000
"""Pending items that are compared with the filters of a query; with more of them the answer counts as incomplete."""
HIGHLIGHTED_CHARACTERS = 20_000
LONGEST_FACET_VALUE = 256
LANGUAGES = sql.SQL(
    """
    LEFT JOIN search_languages l ON l.tenant_id = i.tenant_id AND l.entity_type = i.entity_type
    CROSS JOIN LATERAL (SELECT coalesce(l.language, 'english')::regconfig AS language) c
    """
)


async def read_state(connection: Connection) -> DictRow:
    """Return the active space, the tenant's generation and settings, and whether items wait for an embedding or failed.

    The number of vectors is the planner's estimate, of all tenants. As items are read too, the table of the space is
    there until the transaction ends.
    """
    cursor = await connection.execute(
        """
        SELECT s.id, s.model, s.model_version, s.digest, s.dim,
            coalesce((SELECT greatest(c.reltuples, 0) FROM pg_class c
                WHERE c.oid = to_regclass('public.embeddings_' || s.id)), 0)::bigint AS vectors,
            coalesce((SELECT sum(g.generation) FROM search_generations g
                WHERE g.tenant_id = current_setting('ml.tenant')), 0)::bigint AS generation,
            EXISTS (SELECT FROM search_items i
                WHERE i.tenant_id = current_setting('ml.tenant') AND i.state = 'pending') AS pending,
            EXISTS (SELECT FROM search_items i
                WHERE i.tenant_id = current_setting('ml.tenant') AND i.state = 'failed') AS failed,
            coalesce((SELECT jsonb_object_agg(w.entity_type, w.weight) FROM search_settings w
                WHERE w.tenant_id = current_setting('ml.tenant') AND w.weight IS NOT NULL), '{}') AS weights,
            coalesce((SELECT jsonb_object_agg(r.entity_type, r.rerank) FROM search_settings r
                WHERE r.tenant_id = current_setting('ml.tenant') AND r.rerank IS NOT NULL), '{}') AS reranks
        FROM (SELECT) AS one LEFT JOIN embedding_spaces s ON s.state = 'active'
        """
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("a left join of one row returned nothing")
    return row


async def count_matching(connection: Connection, filters: Filters, limit: int) -> int:
    """Count the embedded items that meet the filters, up to a limit."""
    cursor = await connection.execute(
        "SELECT count(*) AS items FROM matching_search_items(%s, %s)", (Jsonb(filters.document()), limit)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["items"])


async def has_pending(connection: Connection, filters: Filters) -> bool:
    """Whether items that meet the filters still wait for their embedding, or so many wait that it is likely."""
    condition, values = filters.condition()
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT count(*) > %s OR coalesce(bool_or({condition}), false) AS pending
            FROM (
                SELECT entity_type, tags, metadata, updated_at FROM search_items
                WHERE tenant_id = current_setting('ml.tenant') AND state = 'pending'
                LIMIT %s
            ) i
            """
        ).format(condition=condition),
        (PENDING_LOOKED_AT, *values, PENDING_LOOKED_AT + 1),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row["pending"])


async def read_items(
    connection: Connection, keys: Sequence[Key], filters: Filters, *, content: bool, words: str | None
) -> list[DictRow]:
    """Return those of some items that exist and still meet the filters.

    Args:
        connection: A transaction of the tenant.
        keys: Which.
        filters: Conditions.
        content: Whether to read text, metadata and tags.
        words: What to mark in the texts; None for no marks.

    Returns:
        entity_type, entity_id, with content text, metadata and tags, with words the headline, and characters, those of
        the text that had to be read for it; in no order.
    """
    condition, values = filters.condition()
    statement = _plain_items(content, words is not None)
    if filters:
        statement = _items(condition, content=content, marked=words is not None)
    marked: list[Any] = []
    if words is not None:
        options = f"StartSel={START}, StopSel={STOP}, FragmentDelimiter={GAP}, MaxFragments=3, MaxWords=25, MinWords=8"
        marked = [HIGHLIGHTED_CHARACTERS, START + STOP + GAP, words, options]
    types, ids = [key[0] for key in keys], [key[1] for key in keys]
    cursor = await connection.execute(statement, [*marked, types, ids, *values])
    return await cursor.fetchall()


@lru_cache
def _plain_items(content: bool, marked: bool) -> bytes:
    return _items(Filters().condition()[0], content=content, marked=marked)


def _items(condition: sql.Composable, *, content: bool, marked: bool) -> bytes:
    columns: list[sql.Composable] = [sql.SQL("i.entity_type, i.entity_id")]
    if content:
        columns.append(sql.SQL("i.text, i.metadata, i.tags, length(i.text) AS characters"))
    elif marked:
        columns.append(sql.SQL("least(length(i.text), {most}) AS characters").format(most=HIGHLIGHTED_CHARACTERS))
    if marked:
        # Any of the words counts, as it does for the ranking.
        columns.append(
            sql.SQL(
                """
                ts_headline(c.language, translate(composed_text(left(i.text, %s)), %s, '   '),
                    replace(plainto_tsquery(c.language, %s)::text, '&', '|')::tsquery, %s) AS headline
                """
            )
        )
    statement = sql.SQL(
        """
        SELECT {columns}
        FROM unnest(%s::text[], %s::text[]) AS k (entity_type, entity_id)
        JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = k.entity_type
            AND i.entity_id = k.entity_id
        {languages}
        WHERE {condition}
        """
    )
    return statement.format(
        columns=sql.SQL(", ").join(columns), languages=LANGUAGES if marked else sql.SQL(""), condition=condition
    ).as_bytes()


async def read_texts(connection: Connection, keys: Sequence[Key], characters: int) -> dict[Key, str]:
    """Return the beginnings of the texts of those of some items that exist.

    Args:
        connection: A transaction of the tenant.
        keys: Which.
        characters: How much of each.
    """
    types, ids = [key[0] for key in keys], [key[1] for key in keys]
    cursor = await connection.execute(
        """
        SELECT i.entity_type, i.entity_id, left(ltrim(i.text, E' \\t\\r\\n'), %s) AS text
        FROM unnest(%s::text[], %s::text[]) AS k (entity_type, entity_id)
        JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = k.entity_type
            AND i.entity_id = k.entity_id
        """,
        (characters, types, ids),
    )
    return {(row["entity_type"], row["entity_id"]): row["text"] for row in await cursor.fetchall()}


async def count_facets(
    connection: Connection, keys: Sequence[Key], filters: Filters, facets: Sequence[str], limit: int
) -> list[DictRow]:
    """Count the values that some items have.

    Args:
        connection: A transaction of the tenant.
        keys: The items.
        filters: Conditions that they must still meet.
        facets: `entity_type`, `tags`, `metadata.<key>`.
        limit: Most values of a facet.

    Returns:
        facet, value, items, and different, the number of values that the facet has; most frequent values first.
    """
    condition, values = filters.condition()
    statement = sql.SQL(
        """
        WITH found AS MATERIALIZED (
            SELECT i.entity_type, i.tags, i.metadata
            FROM unnest(%s::text[], %s::text[]) AS k (entity_type, entity_id)
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = k.entity_type
                AND i.entity_id = k.entity_id
            WHERE {condition}
        ), held AS (
            SELECT 'entity_type' AS facet, to_jsonb(entity_type) AS value FROM found
            UNION ALL
            SELECT 'tags', to_jsonb(tag) FROM found, LATERAL (SELECT DISTINCT unnest(tags) AS tag) t
            UNION ALL
            SELECT 'metadata.' || key, metadata -> key FROM found, unnest(%s::text[]) AS key
            WHERE jsonb_typeof(metadata -> key) IN ('string', 'number', 'boolean')
                AND length(metadata ->> key) <= %s
        ), counted AS (
            SELECT facet, value, count(*) AS items, count(*) OVER (PARTITION BY facet) AS different,
                row_number() OVER (PARTITION BY facet ORDER BY count(*) DESC, value) AS place
            FROM held WHERE facet = ANY (%s::text[]) GROUP BY facet, value
        )
        SELECT facet, value, items, different FROM counted WHERE place <= %s ORDER BY facet, place
        """
    ).format(condition=condition)
    types, ids = [key[0] for key in keys], [key[1] for key in keys]
    metadata_keys = [facet.removeprefix("metadata.") for facet in facets if facet.startswith("metadata.")]
    cursor = await connection.execute(
        statement, [types, ids, *values, metadata_keys, LONGEST_FACET_VALUE, list(facets), limit]
    )
    return await cursor.fetchall()


async def read_settings(connection: Connection) -> list[DictRow]:
    """Return entity_type, weight, tuning, rerank and updated_at of every index of the tenant that has settings."""
    cursor = await connection.execute(
        """
        SELECT entity_type, weight, tuning, rerank, updated_at FROM search_settings
        WHERE tenant_id = current_setting('ml.tenant') ORDER BY entity_type
        """
    )
    return await cursor.fetchall()


async def save_settings(connection: Connection, entity_type: str, change: Change) -> DictRow:
    """Change the settings of an index.

    Returns:
        entity_type, weight, tuning, rerank, updated_at, and former_weight and former_rerank, those before.
    """
    tuning = None if change.tuning is None else Jsonb(change.tuning)
    cursor = await connection.execute(
        """
        INSERT INTO search_settings AS s (tenant_id, entity_type, weight, tuning, rerank)
        VALUES (current_setting('ml.tenant'), %(index)s, %(weight)s, %(tuning)s, %(rerank)s)
        ON CONFLICT (tenant_id, entity_type) DO UPDATE SET
            weight = CASE WHEN %(weighs)s THEN excluded.weight ELSE s.weight END,
            tuning = CASE WHEN %(weighs)s THEN excluded.tuning ELSE s.tuning END,
            rerank = CASE WHEN %(reranks)s THEN excluded.rerank ELSE s.rerank END,
            updated_at = now()
        RETURNING s.entity_type, s.weight, s.tuning, s.rerank, s.updated_at,
            (SELECT f.weight FROM search_settings f
             WHERE f.tenant_id = s.tenant_id AND f.entity_type = s.entity_type) AS former_weight,
            (SELECT f.rerank FROM search_settings f
             WHERE f.tenant_id = s.tenant_id AND f.entity_type = s.entity_type) AS former_rerank
        """,
        {
            "index": entity_type,
            "weight": change.weight,
            "tuning": tuning,
            "rerank": change.rerank,
            "weighs": change.weighs,
            "reranks": change.reranks,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an upsert returned nothing")
    return row


async def list_tenants(connection: Connection) -> list[str]:
    """Return every tenant, in any order."""
    cursor = await connection.execute("SELECT tenant_id FROM tenants ORDER BY random()")
    return [row["tenant_id"] for row in await cursor.fetchall()]
