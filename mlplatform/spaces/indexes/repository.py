"""SQL of the HNSW indexes of spaces."""

from datetime import timedelta

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]

# Any constant will do, as long as nothing else takes the same pair of it and a space.
BUILD_LOCK = 521_588_301


async def read_pgvector(connection: Connection) -> str | None:
    """Return the version of pgvector in this database."""
    cursor = await connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    row = await cursor.fetchone()
    return None if row is None else str(row["extversion"])


async def read_state(connection: Connection, space_id: int) -> str:
    """Return valid, invalid or missing."""
    cursor = await connection.execute("SELECT embedding_index_state(%s) AS state", (space_id,))
    return str(_only(await cursor.fetchone())["state"])


async def find_build(connection: Connection, space_id: int) -> DictRow | None:
    """Return phase, done and total of the build that is under way."""
    cursor = await connection.execute(
        "SELECT phase, done, total FROM embedding_index_builds() WHERE space_id = %s", (space_id,)
    )
    return await cursor.fetchone()


async def set_limit(connection: Connection, limit: timedelta | None) -> None:
    """Let statements of this session run and wait for so long; None for as long as it takes."""
    milliseconds = 0 if limit is None else int(limit.total_seconds() * 1000)
    await connection.execute("SELECT set_config('statement_timeout', %s, false)", (str(milliseconds),))


async def claim_index(connection: Connection, space_id: int) -> bool:
    """Keep other sessions from building the index of a space until this one ends.

    It does not wait: a session that waits in a statement is one that a concurrent build waits for.

    Returns:
        Whether it is this session's.
    """
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS ours", (BUILD_LOCK, space_id))
    return bool(_only(await cursor.fetchone())["ours"])


async def find_index(connection: Connection, space_id: int) -> str | None:
    """Return the name of the valid index of a space."""
    names = await _indexes(connection, space_id, valid=True)
    return names[0] if names else None


async def drop_invalid_indexes(connection: Connection, space_id: int) -> None:
    """Drop what builds that were broken off have left. Writers keep such an index up to date, and nobody reads it."""
    for name in await _indexes(connection, space_id, valid=False):
        await connection.execute(
            sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {index}").format(index=sql.Identifier("public", name))
        )


async def count_all_vectors(connection: Connection, space_id: int) -> int:
    """Count the vectors of all tenants. Only the owner sees them."""
    cursor = await connection.execute(
        sql.SQL("SELECT count(*) AS vectors FROM {table}").format(table=_embeddings(space_id))
    )
    return int(_only(await cursor.fetchone())["vectors"])


async def build_index(connection: Connection, space_id: int, former: str | None, *, memory: int, workers: int) -> None:
    """Build the index of a space beside readers and writers.

    Args:
        connection: A session of the owner outside any transaction.
        space_id: The space.
        former: The valid index, to be built anew; None when there is none.
        memory: Bytes that the graph may take.
        workers: Processes that may help.
    """
    await connection.execute(
        """
        SELECT set_config('maintenance_work_mem', %s, false), set_config('max_parallel_maintenance_workers', %s, false)
        """,
        (f"{memory // 1024}kB", str(workers)),
    )
    if former is not None:
        statement = sql.SQL("REINDEX INDEX CONCURRENTLY {index}").format(index=sql.Identifier("public", former))
    else:
        statement = sql.SQL(
            "CREATE INDEX CONCURRENTLY {index} ON {table} USING hnsw (embedding public.halfvec_cosine_ops)"
        ).format(index=sql.Identifier(f"embeddings_{space_id}_hnsw"), table=_embeddings(space_id))
    await connection.execute(statement)


async def analyze(connection: Connection, space_id: int) -> None:
    """Let the planner know the table before it is searched. Only the owner may."""
    await connection.execute(sql.SQL("ANALYZE {table}").format(table=_embeddings(space_id)))


async def _indexes(connection: Connection, space_id: int, *, valid: bool) -> list[str]:
    cursor = await connection.execute(
        """
        SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
        WHERE a.amname = 'hnsw' AND i.indrelid = to_regclass(format('public.embeddings_%%s', %s::integer))
            AND (i.indisvalid AND i.indisready) = %s
        ORDER BY c.relname
        """,
        (space_id, valid),
    )
    return [row["relname"] for row in await cursor.fetchall()]


def _only(row: DictRow | None) -> DictRow:
    if row is None:
        raise RuntimeError("a statement that returns one row returned none")
    return row


def _embeddings(space_id: int) -> sql.Identifier:
    return sql.Identifier("public", f"embeddings_{space_id}")
