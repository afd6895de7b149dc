"""Whether the vector of an item leaves out a part of its text, as the space that is searched has it."""

from collections.abc import Sequence

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from services.search.repository import find_active_space

NOT_ANY = sql.SQL("false")


async def is_truncated(connection: AsyncConnection[DictRow]) -> sql.Composable:
    """Return the condition that an item `i` of `search_items` has such a vector; false before there is a space."""
    space = await find_active_space(connection)
    if space is None:
        return NOT_ANY
    return sql.SQL(
        """EXISTS (SELECT FROM {table} e WHERE e.tenant_id = i.tenant_id AND e.entity_type = i.entity_type
            AND e.entity_id = i.entity_id AND e.content_sha256 = i.content_sha256 AND e.truncated)"""
    ).format(table=sql.Identifier(f"embeddings_{space['id']}"))


async def count_truncated(connection: AsyncConnection[DictRow], versions: Sequence[tuple[str, str, str]]) -> int:
    """Count items with such a vector, of those that still have the text that is meant.

    Args:
        connection: A transaction of the tenant.
        versions: entity_type, entity_id and content_sha256; at least one.
    """
    columns = list(map(list, zip(*versions, strict=True)))
    cursor = await connection.execute(
        sql.SQL(
            """
            SELECT count(*) AS items
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS v (entity_type, entity_id, content_sha256)
            JOIN search_items i ON i.tenant_id = current_setting('ml.tenant') AND i.entity_type = v.entity_type
                AND i.entity_id = v.entity_id AND i.content_sha256 = v.content_sha256
            WHERE i.state = 'embedded' AND {truncated}
            """
        ).format(truncated=await is_truncated(connection)),
        columns,
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["items"])
