"""SQL of embedding spaces as a whole; the vectors of items are written by the embedding service."""

from collections.abc import Sequence
from datetime import timedelta
from typing import LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, scalar_row

Connection = AsyncConnection[DictRow]


async def list_spaces(connection: Connection, *, retired: bool) -> list[DictRow]:
    """Return every space with its filling, the oldest first.

    Args:
        connection: Any transaction.
        retired: Whether to return those that are gone too.
    """
    cursor = await connection.execute(
        """
        SELECT s.id, s.model, s.model_version, s.digest, s.dim, s.state, s.requested_by, s.note, s.created_at,
            s.changed_at, f.pass, f.seen, f.lacking, f.stored, f.complete_at, f.problem,
            CASE WHEN f.held_until > now() THEN f.holder END AS holder,
            CASE WHEN s.state NOT IN ('planned', 'retired') THEN embedding_index_state(s.id) END AS index_state,
            b.phase AS build_phase, b.done AS build_done, b.total AS build_total
        FROM embedding_spaces s LEFT JOIN embedding_fills f ON f.space_id = s.id
        LEFT JOIN embedding_index_builds() b ON b.space_id = s.id
        WHERE %s OR s.state <> 'retired' ORDER BY s.id
        """,
        (retired,),
    )
    return await cursor.fetchall()


async def hold_spaces(connection: Connection) -> dict[int, str]:
    """Keep spaces from being switched, made or dropped until the transaction ends.

    Two statements, since the second must see what was committed while the first waited.

    Returns:
        State by id, of those that have a table.
    """
    await connection.execute("SELECT pg_advisory_xact_lock_shared(embedding_spaces_lock())")
    cursor = await connection.execute(
        "SELECT id, state FROM embedding_spaces WHERE state IN ('building', 'active', 'standby')"
    )
    return {row["id"]: row["state"] for row in await cursor.fetchall()}


async def plan_space(connection: Connection, model: str, version: str, actor: str) -> int:
    """Return the id of the space of a version, planned now when there is none."""
    return await _number(connection, "SELECT plan_embedding_space(%s, %s, %s)", (model, version, actor))


async def define_space(
    connection: Connection, space_id: int, digest: str, dimension: int, *, live_items: int | None = None
) -> int | None:
    """Give a planned space its weights and its table.

    Args:
        connection: Any transaction.
        space_id: The space.
        digest: Of the weights.
        dimension: Length of a vector.
        live_items: Items to fill up to which the table has its index at once; None for any number. The index of more
            is built when the table is filled.

    Returns:
        Its id, or that of the space with the same weights; None when it is gone.
    """
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT define_embedding_space(%s, %s, %s, %s)", (space_id, digest, dimension, live_items))
        found: int | None = await cursor.fetchone()
        return found


async def switch_space(connection: Connection, space_id: int, *, accept_failures: bool) -> DictRow:
    """Make a space the one that is searched.

    Returns:
        switched, lacking, failed and former.
    """
    cursor = await connection.execute("SELECT * FROM switch_embedding_space(%s, %s)", (space_id, accept_failures))
    return _only(await cursor.fetchone())


async def retire_space(connection: Connection, space_id: int) -> None:
    """Drop the vectors of a space that is not searched. Only the owner may."""
    await connection.execute("SELECT retire_embedding_space(%s)", (space_id,))


async def count_space(connection: Connection, space_id: int) -> DictRow:
    """Return covered, lacking and failed items over all tenants."""
    cursor = await connection.execute("SELECT * FROM count_embedding_space(%s)", (space_id,))
    return _only(await cursor.fetchone())


async def reopen_fill(connection: Connection, space_id: int) -> None:
    """Have a complete space gone over at once, since it lacks something."""
    await connection.execute(
        "UPDATE embedding_fills SET complete_at = NULL WHERE space_id = %s AND complete_at IS NOT NULL", (space_id,)
    )


async def forget_problem(connection: Connection, space_id: int) -> None:
    """Take back why nothing happened with a space."""
    await connection.execute(
        "UPDATE embedding_fills SET problem = NULL WHERE space_id = %s AND problem IS NOT NULL", (space_id,)
    )


async def set_patience(connection: Connection, limit: timedelta) -> None:
    """Let each statement of this transaction run for so long."""
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, true)", (str(int(limit.total_seconds() * 1000)),)
    )


async def save_node(connection: Connection, node: str, spaces: Sequence[int], forget_after: timedelta) -> None:
    """Say that a node runs, and which spaces it can embed for; forget those that are silent for long."""
    await connection.execute(
        """
        INSERT INTO embedding_nodes (node, spaces) VALUES (%s, %s)
        ON CONFLICT (node) DO UPDATE SET spaces = excluded.spaces, seen_at = now()
        """,
        (node, list(spaces)),
    )
    await connection.execute("DELETE FROM embedding_nodes WHERE seen_at < now() - %s", (forget_after,))


async def remove_node(connection: Connection, node: str) -> None:
    """Say that a node has ended."""
    await connection.execute("DELETE FROM embedding_nodes WHERE node = %s", (node,))


async def list_nodes(connection: Connection, seen_within: timedelta) -> list[DictRow]:
    """Return node and spaces of those that run."""
    cursor = await connection.execute(
        "SELECT node, spaces FROM embedding_nodes WHERE seen_at > now() - %s ORDER BY node", (seen_within,)
    )
    return await cursor.fetchall()


async def note_production(connection: Connection, model: str, version: str) -> bool:
    """Remember the version in production.

    Returns:
        Whether it is another one than before, or the first; of several callers at once one is told so.
    """
    cursor = await connection.execute(
        """
        INSERT INTO embedding_production AS p (model, version) VALUES (%s, %s)
        ON CONFLICT (model) DO UPDATE SET version = excluded.version, noted_at = now(), follow = NULL
        WHERE p.version <> excluded.version
        RETURNING version
        """,
        (model, version),
    )
    return await cursor.fetchone() is not None


async def follow_space(connection: Connection, model: str, space_id: int) -> None:
    """Remember which space the version in production is to be searched in."""
    await connection.execute("UPDATE embedding_production SET follow = %s WHERE model = %s", (space_id, model))


async def find_followed(connection: Connection, *, locked: bool = False) -> int | None:
    """Return the space that is to be switched to as soon as it is complete.

    Args:
        connection: A transaction.
        locked: Whether it is to stay so until the transaction ends.
    """
    lock = sql.SQL(" FOR UPDATE" if locked else "")
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql.SQL("SELECT follow FROM embedding_production WHERE follow IS NOT NULL") + lock)
        found: int | None = await cursor.fetchone()
        return found


async def list_tenants(connection: Connection) -> list[str]:
    """Return every tenant."""
    cursor = await connection.execute("SELECT tenant_id FROM tenants ORDER BY tenant_id")
    return [row["tenant_id"] for row in await cursor.fetchall()]


async def count_items(connection: Connection) -> int:
    """Return about how many items there are, by the planner's estimate."""
    cursor = await connection.execute(
        "SELECT greatest(reltuples, 0)::bigint AS items FROM pg_class WHERE oid = 'public.search_items'::regclass"
    )
    return int(_only(await cursor.fetchone())["items"])


async def count_vectors(connection: Connection, space_id: int, limit: int) -> int:
    """Count the tenant's vectors, up to a limit."""
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT count(*) AS vectors FROM (
                SELECT FROM {table} WHERE tenant_id = current_setting('ml.tenant') LIMIT %s
            ) v
            """
        ).format(table=_embeddings(space_id)),
        (limit,),
    )
    return int(_only(await cursor.fetchone())["vectors"])


async def sample_vectors(connection: Connection, space_id: int, count: int) -> list[str]:
    """Return vectors of the tenant as pgvector writes them, each halfway between two items.

    An item's own vector is found too easily.
    """
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH drawn AS MATERIALIZED (
                SELECT e.embedding, row_number() OVER () AS place
                FROM (
                    SELECT embedding FROM {table} WHERE tenant_id = current_setting('ml.tenant')
                    ORDER BY random() LIMIT %s
                ) e
            )
            SELECT (a.embedding + b.embedding)::text AS vector FROM drawn a JOIN drawn b ON b.place = a.place + 1
            WHERE a.place %% 2 = 1
            """
        ).format(table=_embeddings(space_id)),
        (2 * count,),
    )
    return [row["vector"] for row in await cursor.fetchall()]


async def search_exact(
    connection: Connection, space_id: int, vector: str, depth: int, entity_type: str | None = None
) -> list[tuple[str, str, float]]:
    """Compare a vector with all of the tenant's.

    Returns:
        Entity type, entity id and distance, the nearest first.
    """
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH compared AS MATERIALIZED (
                SELECT entity_type, entity_id, embedding <=> %s::halfvec AS distance FROM {table}
                WHERE tenant_id = current_setting('ml.tenant') AND (%s::text IS NULL OR entity_type = %s)
            )
            SELECT * FROM compared ORDER BY distance, entity_type, entity_id LIMIT %s
            """
        ).format(table=_embeddings(space_id)),
        (vector, entity_type, entity_type, depth),
    )
    return [(row["entity_type"], row["entity_id"], row["distance"]) for row in await cursor.fetchall()]


async def search_index(connection: Connection, space_id: int, vector: str, depth: int) -> list[float]:
    """Walk the HNSW index for the tenant's nearest vectors.

    Returns:
        Their distances, the nearest first.
    """
    await connection.execute(
        """
        SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', '100', true),
            set_config('hnsw.max_scan_tuples', '20000', true), set_config('enable_sort', 'off', true),
            set_config('enable_seqscan', 'off', true)
        """
    )
    cursor = await connection.execute(
        sql.SQL(
            """
            WITH nearest AS MATERIALIZED (
                SELECT embedding <=> %s::halfvec AS distance FROM {table}
                WHERE tenant_id = current_setting('ml.tenant') ORDER BY embedding <=> %s::halfvec LIMIT %s
            )
            SELECT distance FROM nearest ORDER BY distance + 0
            """
        ).format(table=_embeddings(space_id)),
        (vector, vector, depth),
    )
    return [row["distance"] for row in await cursor.fetchall()]


async def _number(connection: Connection, statement: LiteralString, values: Sequence[object]) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement, values)
        found: int | None = await cursor.fetchone()
    if found is None:
        raise RuntimeError("a function that returns a number returned none")
    return found


def _only(row: DictRow | None) -> DictRow:
    if row is None:
        raise RuntimeError("a function that returns one row returned none")
    return row


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier(f"embeddings_{space_id}")
