"""The statements of uploads, in transactions of their tenant unless said otherwise."""

from collections.abc import Collection
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection: TypeAlias = AsyncConnection[DictRow]


async def begin(connection: Connection, upload: UUID, objects: int) -> None:
    """Note an upload before anything of it is stored.

    Args:
        connection: In a transaction of the tenant.
        upload: Its id.
        objects: How many objects it may come to.
    """
    await connection.execute("INSERT INTO batch_uploads (id, objects) VALUES (%s, %s)", (upload, objects))


async def keep(connection: Connection, upload: UUID, job: UUID, *, files: int, size: int) -> bool:
    """Give an upload its job; False when it was taken away meanwhile."""
    cursor = await connection.execute(
        "UPDATE batch_uploads SET job_id = %s, files = %s, bytes = %s WHERE id = %s AND NOT removed AND job_id IS NULL",
        (job, files, size, upload),
    )
    return cursor.rowcount == 1


async def remove(connection: Connection, upload: UUID) -> int:
    """Mark an upload without a job as one whose objects are about to be deleted; return how many it may have.

    Nothing of it is deleted while a result of its job is to be reviewed.
    """
    cursor = await connection.execute(
        """
        UPDATE batch_uploads u SET removed = true WHERE u.id = %s
            AND (u.job_id IS NULL OR NOT EXISTS (SELECT FROM batch_jobs j WHERE j.id = u.job_id)
                AND NOT EXISTS (SELECT FROM batch_reviews r WHERE r.job_id = u.job_id AND r.state = 'pending'))
        RETURNING objects
        """,
        (upload,),
    )
    row = await cursor.fetchone()
    return row["objects"] if row else 0


async def belongs(connection: Connection, upload: UUID, job: UUID) -> bool:
    """Whether an upload of the tenant became a job, and is there."""
    cursor = await connection.execute(
        "SELECT FROM batch_uploads WHERE id = %s AND job_id = %s AND NOT removed", (upload, job)
    )
    return cursor.rowcount == 1


async def of_jobs(connection: Connection, jobs: Collection[UUID]) -> set[tuple[UUID, UUID]]:
    """Return the uploads that became some jobs and are there, each with its job."""
    cursor = await connection.execute(
        "SELECT id, job_id FROM batch_uploads WHERE job_id = ANY(%s) AND NOT removed", (list(jobs),)
    )
    return {(row["id"], row["job_id"]) for row in await cursor.fetchall()}


async def is_noted(connection: Connection, upload: UUID) -> bool:
    """Whether an upload has its row still."""
    cursor = await connection.execute("SELECT FROM batch_uploads WHERE id = %s", (upload,))
    return cursor.rowcount == 1


async def forget(connection: Connection, upload: UUID) -> None:
    """Delete an upload whose objects are gone."""
    await connection.execute("DELETE FROM batch_uploads WHERE id = %s AND removed", (upload,))


async def stale(connection: Connection, grace: timedelta, most: int) -> list[tuple[str, UUID]]:
    """Return uploads of all tenants, with their tenants, that have no job, or no longer."""
    cursor = await connection.execute("SELECT * FROM stale_batch_uploads(%s, %s)", (grace, most))
    return [(row["tenant_id"], row["id"]) for row in await cursor.fetchall()]
