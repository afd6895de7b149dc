"""What a tenant has, in transactions of the tenant."""

from typing import TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection: TypeAlias = AsyncConnection[DictRow]


async def lock(connection: Connection) -> None:
    """Let one transaction of the tenant at a time count."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('batch quota ' || current_setting('ml.tenant'), 0))"
    )


async def used(connection: Connection) -> DictRow:
    """Return how many files and bytes of uploads, and items of jobs, are kept."""
    cursor = await connection.execute(
        """
        SELECT coalesce(sum(files), 0)::bigint AS files, coalesce(sum(bytes), 0)::bigint AS bytes,
            (SELECT coalesce(sum(items), 0)::bigint FROM batch_jobs) AS items
        FROM batch_uploads WHERE NOT removed
        """
    )
    (row,) = await cursor.fetchall()
    return row
