"""SQL of uploads. Every statement sees the rows of the transaction's tenant only."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]

PRUNED = 100


async def find_upload(connection: Connection, upload: str) -> DictRow | None:
    """Return lines, stored, failed_lines, sha256, complete and updated_at of an upload."""
    cursor = await connection.execute(
        "SELECT lines, stored, failed_lines, sha256, complete, updated_at FROM search_uploads WHERE upload_id = %s",
        (upload,),
    )
    return await cursor.fetchone()


async def add_upload(connection: Connection, upload: str, sha256: bytes) -> None:
    """Add an upload that nothing came of yet, unless it is there."""
    await connection.execute(
        "INSERT INTO search_uploads (upload_id, sha256) VALUES (%s, %s) ON CONFLICT DO NOTHING", (upload, sha256)
    )


async def advance_upload(
    connection: Connection,
    upload: str,
    *,
    before: int,
    lines: int,
    stored: int,
    failed_lines: Sequence[int],
    sha256: bytes,
) -> bool:
    """Record that lines are stored, and keep other requests from doing so until the transaction ends.

    Args:
        connection: A transaction of the tenant.
        upload: Its name.
        before: Lines that must have been recorded so far.
        lines: Lines that are recorded then.
        stored: Items among the new ones.
        failed_lines: The wrong ones among the new ones.
        sha256: Digest of all lines up to there.

    Returns:
        Whether it was at `before`; else nothing is changed.
    """
    cursor = await connection.execute(
        """
        UPDATE search_uploads SET lines = %s, stored = stored + %s, failed_lines = failed_lines || %s::bigint[],
            sha256 = %s, updated_at = now()
        WHERE upload_id = %s AND lines = %s
        """,
        (lines, stored, list(failed_lines), sha256, upload, before),
    )
    return cursor.rowcount == 1


async def complete_upload(connection: Connection, upload: str) -> None:
    """Record that nothing more comes."""
    await connection.execute(
        "UPDATE search_uploads SET complete = true, updated_at = now() WHERE upload_id = %s", (upload,)
    )


async def prune_uploads(connection: Connection, retention: timedelta) -> None:
    """Delete some uploads that nobody will ask for any more; more than each upload adds, so that none pile up."""
    await connection.execute(
        """
        DELETE FROM search_uploads WHERE upload_id IN (
            SELECT upload_id FROM search_uploads WHERE updated_at < now() - %s
            ORDER BY updated_at LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (retention, PRUNED),
    )
