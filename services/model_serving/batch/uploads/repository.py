"""The statements of uploads, in transactions of their tenant unless said otherwise."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from services.model_serving.batch.tables.source import TYPE as TABLE

Connection: TypeAlias = AsyncConnection[DictRow]


async def begin(connection: Connection, upload: UUID, objects: int) -> None:
    """Note an upload before anything of it is stored.

    Args:
        connection: In a transaction of the tenant.
        upload: Its id.
        objects: How many objects it may come to.
    """
    await connection.execute("INSERT INTO batch_uploads (id, objects) VALUES (%s, %s)", (upload, objects))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a tenant has, besides one upload.

    Attributes:
        kept: Bytes of uploads that became jobs.
        reserved: Bytes that uploads under way may come to.
        spooled: Bytes of these that may be on the disk of a machine.
    """

    kept: int
    reserved: int
    spooled: int


async def taken(connection: Connection, upload: UUID, host: str) -> Taken:
    """Return what the tenant has besides an upload; what a process reserved that died counts until its lease ends."""
    cursor = await connection.execute(
        """
        SELECT coalesce(sum(bytes) FILTER (WHERE job_id IS NOT NULL), 0)::bigint AS kept,
            coalesce(sum(reserved) FILTER (WHERE reserved_until > clock_timestamp()), 0)::bigint AS reserved,
            coalesce(sum(spooled) FILTER (WHERE reserved_until > clock_timestamp() AND host = %s), 0)::bigint AS spooled
        FROM batch_uploads WHERE id <> %s AND NOT removed
        """,
        (host, upload),
    )
    (row,) = await cursor.fetchall()
    return Taken(**row)


async def lock_spool(connection: Connection, host: str) -> None:
    """Let one transaction of all tenants at a time count what is on the disk of a machine."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('batch spool ' || %s::text, 0))", (host,))


async def spooled(connection: Connection, host: str, besides: UUID) -> int:
    """Return how many bytes uploads of all tenants but one may have on the disk of a machine."""
    cursor = await connection.execute("SELECT spooled_batch_bytes(%s, %s) AS bytes", (host, besides))
    (row,) = await cursor.fetchall()
    return int(row["bytes"])


async def reserve(
    connection: Connection, upload: UUID, host: str, *, size: int, on_disk: int, lease: timedelta
) -> bool:
    """Reserve bytes for an upload without a job, in the place of those it had; False when it was taken away."""
    cursor = await connection.execute(
        "UPDATE batch_uploads SET reserved = %s, spooled = %s, host = %s, reserved_until = clock_timestamp() + %s "
        "WHERE id = %s AND NOT removed AND job_id IS NULL",
        (size, on_disk, host, lease, upload),
    )
    return cursor.rowcount == 1


async def renew(connection: Connection, upload: UUID, lease: timedelta) -> bool:
    """Keep what is reserved for an upload for another lease; False when that has ended, or nothing may be reserved.

    What lapsed is locked too, so that whoever reserves it anew waits for a job that is being made of the upload before
    counting, and not the other way round.
    """
    cursor = await connection.execute(
        """
        UPDATE batch_uploads SET reserved_until =
            CASE WHEN reserved_until > clock_timestamp() THEN clock_timestamp() + %s ELSE reserved_until END
        WHERE id = %s AND NOT removed AND job_id IS NULL
        RETURNING reserved_until > clock_timestamp() AS stands
        """,
        (lease, upload),
    )
    row = await cursor.fetchone()
    return row is not None and bool(row["stands"])


async def keep(connection: Connection, upload: UUID, job: UUID, *, files: int, size: int) -> bool:
    """Give an upload its job; False when it was taken away meanwhile."""
    cursor = await connection.execute(
        "UPDATE batch_uploads SET job_id = %s, files = %s, bytes = %s, "
        "reserved = 0, spooled = 0, reserved_until = NULL "
        "WHERE id = %s AND NOT removed AND job_id IS NULL",
        (job, files, size, upload),
    )
    return cursor.rowcount == 1


async def release(connection: Connection, job: UUID) -> None:
    """Mark the upload of a job that is about to be deleted, so that it counts no more from then on.

    Files stay while a result of the job is to be reviewed; of a table the reviews themselves have the rows.
    """
    await connection.execute(
        """
        UPDATE batch_uploads u SET removed = true FROM batch_jobs j WHERE j.id = %s AND u.job_id = j.id
            AND (j.kind = %s OR NOT EXISTS (
                SELECT FROM batch_reviews r WHERE r.job_id = j.id AND r.state = 'pending'))
        """,
        (job, TABLE),
    )


async def remove(connection: Connection, upload: UUID) -> int:
    """Mark an upload without a job as one whose objects are about to be deleted; return how many it may have.

    Nothing of it is deleted while a result of its job is to be reviewed, unless it was marked with the job.
    """
    cursor = await connection.execute(
        """
        UPDATE batch_uploads u SET removed = true, reserved = 0, spooled = 0, reserved_until = NULL WHERE u.id = %s
            AND (u.removed OR u.job_id IS NULL OR NOT EXISTS (SELECT FROM batch_jobs j WHERE j.id = u.job_id)
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
