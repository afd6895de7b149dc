"""SQL of reindexing."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from services.embedding.filling.repository import LACKING, Key

Connection = AsyncConnection[DictRow]


async def plan_shards(connection: Connection, job: str, space_id: int, entity_type: str | None, size: int) -> None:
    """Cut the tenant's items that lack a vector into ranges of ids, unless ranges of this job are still to be done."""
    cursor = await connection.execute(
        """
        SELECT bool_or(NOT done) AS open FROM embedding_reindex_shards
        WHERE tenant_id = current_setting('ml.tenant') AND job = %s
        """,
        (job,),
    )
    row = await cursor.fetchone()
    if row is not None and row["open"]:
        return
    await connection.execute(
        "DELETE FROM embedding_reindex_shards WHERE tenant_id = current_setting('ml.tenant') AND job = %s", (job,)
    )
    await connection.execute(
        sql.SQL(
            """
            WITH placed AS (
                SELECT i.entity_type, i.entity_id,
                    (row_number() OVER (PARTITION BY i.entity_type ORDER BY i.entity_id) - 1) / %(size)s AS part
                FROM search_items i {lacking} AND (%(type)s::text IS NULL OR i.entity_type = %(type)s)
            ), cut AS (
                SELECT entity_type, part, max(entity_id) AS last_id, count(*) AS items
                FROM placed GROUP BY entity_type, part
            )
            INSERT INTO embedding_reindex_shards
                (tenant_id, job, shard, space_id, entity_type, after_id, last_id, items)
            SELECT current_setting('ml.tenant'), %(job)s, row_number() OVER (ORDER BY entity_type, part), %(space)s,
                entity_type, coalesce(lag(last_id) OVER (PARTITION BY entity_type ORDER BY part), ''), last_id, items
            FROM cut
            """
        ).format(lacking=LACKING.format(table=sql.Identifier(f"embeddings_{space_id}"))),
        {"size": size, "type": entity_type, "job": job, "space": space_id},
    )


async def list_shards(connection: Connection, job: str) -> list[DictRow]:
    """Return shard, entity_type, items, stored, failed and done of the tenant's ranges."""
    cursor = await connection.execute(
        """
        SELECT shard, entity_type, items, stored, failed, done FROM embedding_reindex_shards
        WHERE tenant_id = current_setting('ml.tenant') AND job = %s ORDER BY shard
        """,
        (job,),
    )
    return await cursor.fetchall()


async def find_shard(connection: Connection, job: str, shard: int) -> DictRow | None:
    """Return entity_type, after_id, last_id and done of a range."""
    cursor = await connection.execute(
        """
        SELECT entity_type, after_id, last_id, done FROM embedding_reindex_shards
        WHERE tenant_id = current_setting('ml.tenant') AND job = %s AND shard = %s
        """,
        (job, shard),
    )
    return await cursor.fetchone()


async def save_checkpoint(
    connection: Connection, job: str, shard: int, *, after_id: str, stored: int, failed: int
) -> None:
    """Say up to which id a range is done, in the transaction that stores the vectors.

    Of two who work on a range by mistake, the one behind does not take it back.
    """
    await connection.execute(
        """
        UPDATE embedding_reindex_shards SET after_id = greatest(after_id, %s), stored = stored + %s,
            failed = failed + %s, updated_at = now()
        WHERE tenant_id = current_setting('ml.tenant') AND job = %s AND shard = %s
        """,
        (after_id, stored, failed, job, shard),
    )


async def end_shard(connection: Connection, job: str, shard: int) -> None:
    """Say that a range is done."""
    await connection.execute(
        """
        UPDATE embedding_reindex_shards SET done = true, after_id = last_id, updated_at = now()
        WHERE tenant_id = current_setting('ml.tenant') AND job = %s AND shard = %s
        """,
        (job, shard),
    )


async def count_lacking(connection: Connection, space_id: int, entity_type: str | None) -> int:
    """Count the tenant's items that lack a vector of their text in a space."""
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT count(*) AS items FROM search_items i {lacking}
                AND (%(type)s::text IS NULL OR i.entity_type = %(type)s)
            """
        ).format(lacking=LACKING.format(table=sql.Identifier(f"embeddings_{space_id}"))),
        {"space": space_id, "type": entity_type},
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["items"])


async def next_lacking(
    connection: Connection, space_id: int, entity_type: str | None, after: Key, limit: int
) -> list[DictRow]:
    """Return entity_type, entity_id and content_sha256 of the tenant's next items that lack a vector."""
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT i.entity_type, i.entity_id, i.content_sha256 FROM search_items i {lacking}
                AND (%(type)s::text IS NULL OR i.entity_type = %(type)s)
                AND (i.entity_type, i.entity_id) > (%(after_type)s, %(after_id)s)
            ORDER BY i.entity_type, i.entity_id LIMIT %(limit)s
            """
        ).format(lacking=LACKING.format(table=sql.Identifier(f"embeddings_{space_id}"))),
        {"space": space_id, "type": entity_type, "after_type": after[0], "after_id": after[1], "limit": limit},
    )
    return await cursor.fetchall()


async def still_lacking(connection: Connection, space_id: int, keys: Sequence[Key]) -> set[Key]:
    """Return those of some items that lack a vector."""
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT i.entity_type, i.entity_id
            FROM unnest(%(types)s::text[], %(ids)s::text[]) AS wanted (entity_type, entity_id)
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant')
                AND i.entity_type = wanted.entity_type AND i.entity_id = wanted.entity_id
            {lacking}
            """
        ).format(lacking=LACKING.format(table=sql.Identifier(f"embeddings_{space_id}"))),
        {"space": space_id, "types": [key[0] for key in keys], "ids": [key[1] for key in keys]},
    )
    return {(row["entity_type"], row["entity_id"]) for row in await cursor.fetchall()}
