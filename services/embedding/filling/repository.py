"""SQL of filling spaces."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]
Key = tuple[str, str]
Vector = tuple[str, str, str, int, str, bool]
"""entity_type, entity_id, content_sha256, generation, the vector as pgvector writes it, whether the text was cut."""
Failure = tuple[str, str, str, int, str]
"""entity_type, entity_id, content_sha256, generation, and the reason."""


LACKING = sql.SQL(
    """
    LEFT JOIN {table} e ON e.tenant_id = i.tenant_id AND e.entity_type = i.entity_type
        AND e.entity_id = i.entity_id AND e.content_sha256 = i.content_sha256
    LEFT JOIN embedding_failures f ON f.space_id = %(space)s AND f.tenant_id = i.tenant_id
        AND f.entity_type = i.entity_type AND f.entity_id = i.entity_id AND f.content_sha256 = i.content_sha256
    WHERE i.tenant_id = current_setting('ml.tenant') AND e.tenant_id IS NULL AND f.tenant_id IS NULL
        AND (i.state = 'embedded' OR (i.state = 'failed' AND NOT EXISTS (
            SELECT FROM embedding_spaces s WHERE s.id = %(space)s AND s.state = 'active')))
    """
)
"""Items that wait for their embedding get one in every space by those who embed them. One that has failed says so of
the space that is searched; the model of another may take it."""


async def claim_fill(
    connection: Connection, space_id: int, holder: str, lease: timedelta, recheck: timedelta
) -> DictRow | None:
    """Take the filling of a space for a while.

    Returns:
        pass, after_tenant, after_type, after_id, seen and lacking; None when another node has it, or nothing is due.
    """
    cursor = await connection.execute(
        """
        UPDATE embedding_fills SET holder = %(holder)s, held_until = now() + %(lease)s, updated_at = now()
        WHERE space_id = %(space)s AND (holder = %(holder)s OR held_until IS NULL OR held_until < now())
            AND (complete_at IS NULL OR complete_at < now() - %(recheck)s OR after_tenant IS NOT NULL)
        RETURNING pass, after_tenant, after_type, after_id, seen, lacking
        """,
        {"holder": holder, "lease": lease, "space": space_id, "recheck": recheck},
    )
    return await cursor.fetchone()


async def renew_fill(connection: Connection, space_id: int, holder: str, lease: timedelta, stored: int) -> bool:
    """Keep the filling, and count vectors that this transaction stored.

    Returns:
        Whether it was still this node's.
    """
    cursor = await connection.execute(
        """
        UPDATE embedding_fills SET held_until = now() + %s, stored = stored + %s, problem = NULL, updated_at = now()
        WHERE space_id = %s AND holder = %s
        """,
        (lease, stored, space_id, holder),
    )
    return cursor.rowcount == 1


async def advance_fill(
    connection: Connection, space_id: int, holder: str, position: tuple[str, str, str], *, seen: int, lacking: int
) -> None:
    """Say that all items up to a position were gone over."""
    await connection.execute(
        """
        UPDATE embedding_fills SET after_tenant = %s, after_type = %s, after_id = %s, seen = seen + %s,
            lacking = lacking + %s, updated_at = now()
        WHERE space_id = %s AND holder = %s
        """,
        (*position, seen, lacking, space_id, holder),
    )


async def end_pass(connection: Connection, space_id: int, holder: str) -> DictRow | None:
    """Say that the last item was gone over; the space is complete when none lacked its vector.

    Returns:
        seen and lacking of the pass that ended, and whether it was complete; None when the filling is another node's.
    """
    cursor = await connection.execute(
        """
        UPDATE embedding_fills f SET pass = f.pass + 1, after_tenant = NULL, after_type = NULL, after_id = NULL,
            complete_at = CASE WHEN f.lacking = 0 THEN now() END, seen = 0, lacking = 0, updated_at = now(),
            held_until = NULL
        FROM (SELECT space_id, seen, lacking FROM embedding_fills WHERE space_id = %s FOR UPDATE) former
        WHERE f.space_id = former.space_id AND f.holder = %s
        RETURNING former.seen, former.lacking, f.complete_at IS NOT NULL AS complete
        """,
        (space_id, holder),
    )
    return await cursor.fetchone()


async def release_fill(connection: Connection, space_id: int, holder: str) -> None:
    """Let another node go on."""
    await connection.execute(
        "UPDATE embedding_fills SET held_until = NULL WHERE space_id = %s AND holder = %s", (space_id, holder)
    )


async def note_problem(connection: Connection, space_id: int, problem: str | None) -> None:
    """Remember why a space is not filled, in words for the operator."""
    await connection.execute(
        "UPDATE embedding_fills SET problem = %s WHERE space_id = %s AND problem IS DISTINCT FROM %s",
        (problem, space_id, problem),
    )


async def list_tenants(connection: Connection, first: str | None) -> list[str]:
    """Return the tenants from one on, in their order."""
    cursor = await connection.execute(
        "SELECT tenant_id FROM tenants WHERE %s::text IS NULL OR tenant_id >= %s ORDER BY tenant_id", (first, first)
    )
    return [row["tenant_id"] for row in await cursor.fetchall()]


async def read_page(connection: Connection, after: Key, limit: int) -> list[Key]:
    """Return the tenant's next items in the order of their keys."""
    cursor = await connection.execute(
        """
        SELECT entity_type, entity_id FROM search_items
        WHERE tenant_id = current_setting('ml.tenant') AND (entity_type, entity_id) > (%s, %s)
        ORDER BY entity_type, entity_id LIMIT %s
        """,
        (*after, limit),
    )
    return [(row["entity_type"], row["entity_id"]) for row in await cursor.fetchall()]


async def read_lacking(connection: Connection, space_id: int, after: Key, last: Key, limit: int) -> list[DictRow]:
    """Return the tenant's items in a range of keys that lack a vector of their text, and that the model was not shown.

    Returns:
        entity_type, entity_id, text, content_sha256 and generation.
    """
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT i.entity_type, i.entity_id, i.text, i.content_sha256, i.generation
            FROM search_items i {lacking}
                AND (i.entity_type, i.entity_id) > (%(after_type)s, %(after_id)s)
                AND (i.entity_type, i.entity_id) <= (%(last_type)s, %(last_id)s)
            ORDER BY i.entity_type, i.entity_id LIMIT %(limit)s
            """
        ).format(lacking=LACKING.format(table=_embeddings(space_id))),
        {
            "space": space_id,
            "after_type": after[0],
            "after_id": after[1],
            "last_type": last[0],
            "last_id": last[1],
            "limit": limit,
        },
    )
    return await cursor.fetchall()


async def read_named(connection: Connection, space_id: int, keys: Sequence[Key]) -> list[DictRow]:
    """Return those of some items that lack a vector of their text; see `read_lacking`."""
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT i.entity_type, i.entity_id, i.text, i.content_sha256, i.generation
            FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted (entity_type, entity_id)
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
                AND i.entity_type = wanted.entity_type AND i.entity_id = wanted.entity_id
            {lacking}
            """
        ).format(lacking=LACKING.format(table=_embeddings(space_id))),
        {"space": space_id, "types": [key[0] for key in keys], "ids": [key[1] for key in keys]},
    )
    return await cursor.fetchall()


async def save_vectors(connection: Connection, space_id: int, rows: Sequence[Vector]) -> int:
    """Store vectors of the tenant's items without changing the items.

    An item whose text has changed meanwhile is left alone. Items are locked before their vectors are written: else one
    of an older text could be written after that of a newer one.

    Returns:
        How many were stored.
    """
    columns: list[Any] = list(map(list, zip(*rows, strict=True)))
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH current AS MATERIALIZED (
                SELECT i.tenant_id, v.entity_type, v.entity_id, v.content_sha256, v.embedding, v.truncated
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::boolean[])
                    AS v (entity_type, entity_id, content_sha256, generation, embedding, truncated)
                JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = v.entity_type
                    AND i.entity_id = v.entity_id AND i.content_sha256 = v.content_sha256
                    AND i.generation >= v.generation
                ORDER BY i.entity_type, i.entity_id
                FOR SHARE OF i
            ), forgiven AS (
                DELETE FROM embedding_failures f USING current c
                WHERE f.space_id = %s AND f.tenant_id = c.tenant_id AND f.entity_type = c.entity_type
                    AND f.entity_id = c.entity_id
            )
            INSERT INTO {table} AS e (tenant_id, entity_type, entity_id, content_sha256, embedding, truncated)
            SELECT tenant_id, entity_type, entity_id, content_sha256, embedding::halfvec, truncated FROM current
            ON CONFLICT (tenant_id, entity_type, entity_id) DO UPDATE
            SET content_sha256 = excluded.content_sha256, embedding = excluded.embedding,
                truncated = excluded.truncated
            """
        ).format(table=_embeddings(space_id)),
        [*columns, space_id],
    )
    return cursor.rowcount


async def save_failures(connection: Connection, space_id: int, rows: Sequence[Failure]) -> int:
    """Remember texts that the model of a space cannot take, unless they have changed meanwhile.

    Returns:
        How many are remembered.
    """
    columns: list[Any] = list(map(list, zip(*rows, strict=True)))
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH current AS MATERIALIZED (
                SELECT i.tenant_id, v.entity_type, v.entity_id, v.content_sha256, v.reason
                FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
                    AS v (entity_type, entity_id, content_sha256, generation, reason)
                JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = v.entity_type
                    AND i.entity_id = v.entity_id AND i.content_sha256 = v.content_sha256
                    AND i.generation >= v.generation
                ORDER BY i.entity_type, i.entity_id
                FOR SHARE OF i
            ), stale AS (
                DELETE FROM {table} e USING current c WHERE e.tenant_id = c.tenant_id
                    AND e.entity_type = c.entity_type AND e.entity_id = c.entity_id
            )
            INSERT INTO embedding_failures AS f
                (space_id, tenant_id, entity_type, entity_id, content_sha256, reason)
            SELECT %s, tenant_id, entity_type, entity_id, content_sha256, reason FROM current
            ON CONFLICT (space_id, tenant_id, entity_type, entity_id) DO UPDATE
            SET content_sha256 = excluded.content_sha256, reason = excluded.reason
            """
        ).format(table=_embeddings(space_id)),
        [*columns, space_id],
    )
    return cursor.rowcount


async def raise_generation(connection: Connection, space_id: int) -> None:
    """Have rankings of the tenant made anew when the space is the one that is searched.

    Writing vectors leaves the items as they are, and only these raise the generation of the index by themselves.
    """
    await connection.execute(
        "SELECT raise_search_generation() FROM embedding_spaces WHERE id = %s AND state = 'active'", (space_id,)
    )


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")
