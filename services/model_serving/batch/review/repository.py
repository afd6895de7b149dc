"""The statements about reviews, in transactions of their tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Json

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.scoring.assignment import UnsureRow
from services.model_serving.batch.work.chunk import Claim

Connection: TypeAlias = AsyncConnection[DictRow]
COLUMNS: LiteralString = (
    "id, number, job_id, item, model, version, digest, input::text AS input, output::text AS output, confidence, "
    "state, label::text AS label, note, reviewer, created_at, decided_at"
)
CHOSEN: LiteralString = """
    (%(state)s::text IS NULL OR state = %(state)s)
    AND (%(model)s::text IS NULL OR model = %(model)s)
    AND (%(version)s::text IS NULL OR version = %(version)s)
    AND (%(job)s::uuid IS NULL OR job_id = %(job)s)
    AND (%(least)s::float8 IS NULL OR confidence >= %(least)s)
    AND (%(most)s::float8 IS NULL OR confidence <= %(most)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which reviews are meant; None does not narrow them down.

    Attributes:
        least: Of the confidence.
        most: Of the confidence.
    """

    state: str | None = None
    model: str | None = None
    version: str | None = None
    job: UUID | None = None
    least: float | None = None
    most: float | None = None

    def values(self) -> dict[str, Any]:
        """Return them as the statements name them."""
        return {name: getattr(self, name) for name in ("state", "model", "version", "job", "least", "most")}


async def add(
    connection: Connection, claimed: Claim, job: Job, unsure: Sequence[tuple[int, str | None, float]]
) -> None:
    """Queue results of a chunk, each with its input, or with what the chunk says of the file that it is."""
    await connection.execute(
        """
        WITH held AS MATERIALIZED (
            SELECT coalesce(c.items[e.nth], c.first_item + e.nth - 1) AS item, e.value
            FROM batch_chunks c, json_array_elements(convert_from(c.input, 'UTF8')::json)
                WITH ORDINALITY AS e (value, nth)
            WHERE c.job_id = %(job)s AND c.number = %(chunk)s
            UNION ALL
            SELECT (c.source ->> 'first')::bigint + e.nth - 1, e.value
            FROM batch_chunks c, json_array_elements(c.source -> 'items') WITH ORDINALITY AS e (value, nth)
            WHERE c.job_id = %(job)s AND c.number = %(chunk)s
        )
        INSERT INTO batch_reviews (job_id, item, model, version, digest, input, output, confidence)
        SELECT %(job)s, given.item, %(model)s, %(version)s, %(digest)s, held.value, given.output::json, given.confidence
        FROM unnest(%(items)s::bigint[], %(outputs)s::text[], %(confidences)s::float8[])
            AS given (item, output, confidence)
        LEFT JOIN held USING (item)
        ON CONFLICT DO NOTHING
        """,
        {
            "job": job.id,
            "chunk": claimed.number,
            "model": job.model["name"],
            "version": job.model["version"],
            "digest": job.model.get("digest"),
            "items": [item for item, _, _ in unsure],
            "outputs": [output for _, output, _ in unsure],
            "confidences": [confidence for _, _, confidence in unsure],
        },
    )


async def add_rows(connection: Connection, job: Job, rows: Sequence[UnsureRow]) -> None:
    """Queue results of rows of a table, each with the row."""
    await connection.execute(
        """
        INSERT INTO batch_reviews (job_id, item, model, version, digest, input, output, confidence)
        SELECT %(job)s, given.item, %(model)s, %(version)s, %(digest)s, given.input, given.output, given.confidence
        FROM ROWS FROM (unnest(%(items)s::bigint[]), json_array_elements(%(inputs)s::json),
            json_array_elements(%(outputs)s::json), unnest(%(confidences)s::float8[]))
            AS given (item, input, output, confidence)
        ON CONFLICT DO NOTHING
        """,
        {
            "job": job.id,
            "model": job.model["name"],
            "version": job.model["version"],
            "digest": job.model.get("digest"),
            "items": [one.item for one in rows],
            "inputs": f"[{','.join(one.input for one in rows)}]",  # psycopg takes long to quote an array of texts
            "outputs": f"[{','.join(one.output for one in rows)}]",
            "confidences": [one.confidence for one in rows],
        },
    )


async def count(connection: Connection, job: Job) -> int:
    """Return how many reviews of a job there are, decided or not."""
    cursor = await connection.execute("SELECT count(*) AS reviews FROM batch_reviews WHERE job_id = %s", (job.id,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row["reviews"])


async def page(connection: Connection, choice: Choice, *, before: int | None, limit: int) -> list[DictRow]:
    """Return reviews, newest first."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM batch_reviews WHERE {CHOSEN} "  # noqa: S608 (constants)
        "AND (%(before)s::bigint IS NULL OR number < %(before)s) ORDER BY number DESC LIMIT %(limit)s",
        choice.values() | {"before": before, "limit": limit},
    )
    return await cursor.fetchall()


async def find(connection: Connection, review: UUID) -> DictRow | None:
    """Return a review."""
    cursor = await connection.execute(f"SELECT {COLUMNS} FROM batch_reviews WHERE id = %s", (review,))  # noqa: S608
    return await cursor.fetchone()


async def decide(
    connection: Connection, review: UUID, *, state: str, label: Json | None, note: str | None, reviewer: str
) -> DictRow | None:
    """Decide a review that is pending, and return it; None when it is not."""
    cursor = await connection.execute(
        sql.SQL(
            "UPDATE batch_reviews SET state = %s, label = %s, note = %s, reviewer = %s, decided_at = now() "
            "WHERE id = %s AND state = 'pending' RETURNING {}"
        ).format(sql.SQL(COLUMNS)),
        (state, label, note, reviewer, review),
    )
    return await cursor.fetchone()


async def decide_all(connection: Connection, choice: Choice, *, state: str, reviewer: str, most: int) -> int:
    """Decide the reviews that are meant and pending, the oldest first, and return how many that were."""
    cursor = await connection.execute(
        f"""
        UPDATE batch_reviews SET state = %(decision)s, reviewer = %(reviewer)s, decided_at = now()
        WHERE (tenant_id, id) IN (
            SELECT tenant_id, id FROM batch_reviews WHERE {CHOSEN} AND state = 'pending'
            ORDER BY number LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        """,  # noqa: S608 (constants)
        choice.values() | {"decision": state, "reviewer": reviewer, "limit": most},
    )
    return cursor.rowcount


async def accuracy(connection: Connection, model: str, *, period: timedelta) -> list[DictRow]:
    """Return how many reviews of a model were decided how, by the day in UTC and the version."""
    cursor = await connection.execute(
        """
        SELECT (decided_at AT TIME ZONE 'UTC')::date AS day, version,
            count(*) FILTER (WHERE state = 'approved') AS approved,
            count(*) FILTER (WHERE state = 'corrected') AS corrected,
            count(*) FILTER (WHERE state = 'rejected') AS rejected
        FROM batch_reviews WHERE model = %s AND decided_at > now() - %s GROUP BY 1, 2 ORDER BY 1, 2
        """,
        (model, period),
    )
    return await cursor.fetchall()


async def examples(connection: Connection, choice: Choice, *, until: datetime, after: int, limit: int) -> list[DictRow]:
    """Return reviews whose answer is known, in the order of their numbers, decided until then."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM batch_reviews WHERE {CHOSEN} AND state IN ('approved', 'corrected') "  # noqa: S608
        "AND decided_at <= %(until)s AND number > %(after)s ORDER BY number LIMIT %(limit)s",
        choice.values() | {"until": until, "after": after, "limit": limit},
    )
    return await cursor.fetchall()
