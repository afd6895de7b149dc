"""SQL of the jobs."""

from dataclasses import fields
from datetime import timedelta
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from services.embedding.jobs.job import Job, Output

Connection = AsyncConnection[DictRow]
COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Job))


async def create(
    connection: Connection, job: UUID, input_key: str, *, output: Output, prompt: str, dimensions: int | None
) -> Job:
    """Add a job of the tenant."""
    await connection.execute(
        "INSERT INTO tenants (tenant_id) VALUES (current_setting('ml.tenant')) ON CONFLICT DO NOTHING"
    )
    cursor = await connection.execute(
        sql.SQL(
            "INSERT INTO embedding_jobs (id, input_key, output, prompt, dimensions) VALUES (%s, %s, %s, %s, %s) "
            "RETURNING {columns}"
        ).format(columns=COLUMNS),
        (job, input_key, output, prompt, dimensions),
    )
    (row,) = await cursor.fetchall()
    return Job(**row)


async def count(connection: Connection) -> int:
    """Return how many jobs the tenant has."""
    cursor = await connection.execute("SELECT count(*) AS jobs FROM embedding_jobs WHERE state <> 'removed'")
    (row,) = await cursor.fetchall()
    return int(row["jobs"])


async def find(connection: Connection, job: UUID) -> Job | None:
    """Return a job of the tenant."""
    found = await find_kept(connection, job)
    return None if found is None or found.state == "removed" else found


async def find_kept(connection: Connection, job: UUID) -> Job | None:
    """Return a job of the tenant, removed or not, of which there may be objects."""
    cursor = await connection.execute(
        sql.SQL("SELECT {columns} FROM embedding_jobs WHERE id = %s").format(columns=COLUMNS), (job,)
    )
    row = await cursor.fetchone()
    return Job(**row) if row else None


async def remove(connection: Connection, job: UUID) -> tuple[Job, bool] | None:
    """Remove a job of the tenant; whoever works on it notices at its next step.

    Returns:
        The job, and whether somebody works on it; None when there is none.
    """
    cursor = await connection.execute(
        sql.SQL(
            "UPDATE embedding_jobs SET state = 'removed' WHERE id = %s AND state <> 'removed' "
            "RETURNING {columns}, coalesce(lease_until > now(), false) AS held"
        ).format(columns=COLUMNS),
        (job,),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    held = row.pop("held")
    return Job(**row), held


async def delete(connection: Connection, job: UUID) -> None:
    """Forget a job of the tenant that was removed."""
    await connection.execute("DELETE FROM embedding_jobs WHERE id = %s AND state = 'removed'", (job,))


async def claim_removed(connection: Connection, retention: timedelta, lease: timedelta) -> tuple[str, UUID] | None:
    """Take a job of whichever tenant that was removed, or ended longer than `retention` ago; None when there is none.

    Returns:
        The tenant and the id.
    """
    cursor = await connection.execute(
        "SELECT tenant_id, id FROM claim_removed_embedding_job(%s, %s)", (retention, lease)
    )
    row = await cursor.fetchone()
    return (row["tenant_id"], row["id"]) if row else None


async def claim(connection: Connection, lease: timedelta) -> tuple[str, UUID] | None:
    """Take the oldest job that nobody holds, of whichever tenant; None when there is none.

    Returns:
        The tenant and the id.
    """
    cursor = await connection.execute("SELECT tenant_id, id FROM claim_embedding_job(%s)", (lease,))
    row = await cursor.fetchone()
    return (row["tenant_id"], row["id"]) if row else None


async def save(connection: Connection, job: Job, lease: timedelta) -> bool:
    """Store how far a job has come, and hold it for longer.

    Returns:
        Whether it is still its holder's; False when it was deleted, or taken by another.
    """
    cursor = await connection.execute(
        """
        UPDATE embedding_jobs
        SET model = %s, version = %s, digest = %s, dimension = %s, position = %s, skipping = %s, parts = %s,
            most_parts = greatest(most_parts, %s), lines = %s, texts = %s, failed = %s, stalls = 0,
            lease_until = now() + %s
        WHERE id = %s AND claims = %s AND state = 'running'
        """,
        (
            *(job.model, job.version, job.digest, job.dimension, job.position, job.skipping, job.parts, job.parts),
            *(job.lines, job.texts, job.failed, lease, job.id, job.claims),
        ),
    )
    return cursor.rowcount == 1


async def release(connection: Connection, job: Job) -> None:
    """Give a job back, which did not fail by itself."""
    await connection.execute(
        "UPDATE embedding_jobs SET stalls = 0, lease_until = now() WHERE id = %s AND claims = %s AND state = 'running'",
        (job.id, job.claims),
    )


async def finish(connection: Connection, job: Job, error: str | None) -> bool:
    """End a job, well or with an error.

    Returns:
        Whether it was still its holder's.
    """
    cursor = await connection.execute(
        """
        UPDATE embedding_jobs SET state = %s, error = %s, finished_at = now(), lease_until = NULL
        WHERE id = %s AND claims = %s AND state = 'running'
        """,
        ("done" if error is None else "failed", error, job.id, job.claims),
    )
    return cursor.rowcount == 1
