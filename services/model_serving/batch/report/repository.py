"""What a report is made of, read by the process that makes it; and the report, read by the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.rows import DictRow, dict_row

from mlplatform.errors import DependencyUnavailable

Reading: TypeAlias = Connection[DictRow]
PAGE = 1000


@contextmanager
def reading(url: str, tenant: str) -> Iterator[Reading]:
    """Open a transaction of a tenant that sees one state of everything and changes nothing.

    Raises:
        DependencyUnavailable: Postgres does not answer.
    """
    try:
        with psycopg.connect(url, row_factory=dict_row, application_name="batch-report") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("SELECT set_config('ml.tenant', %s, true)", (tenant,))
            yield connection
    except psycopg.OperationalError as error:
        raise DependencyUnavailable("Postgres does not answer.") from error


def job(connection: Reading, number: str) -> DictRow | None:
    """Return the kind, counts and times of a job."""
    return connection.execute(
        "SELECT kind, state, items, succeeded, failed, cancelled, retries, created_at, started_at, finished_at "
        "FROM batch_jobs WHERE id = %s",
        (number,),
    ).fetchone()


def errors(connection: Reading, number: str) -> dict[str, int]:
    """Return how many items failed for which reason.

    It is taken from the text: Postgres reads nothing of JSON with a null character in it, which the rest may have.
    """
    rows = connection.execute(
        """SELECT substring(error::text FROM '"code" *: *"([^"]*)"') AS code, count(*) AS count FROM batch_results """
        "WHERE job_id = %s AND state = 'failed' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50",
        (number,),
    ).fetchall()
    return {str(row["code"]): row["count"] for row in rows}


def chunks(connection: Reading, number: str) -> list[tuple[int, float]]:
    """Return how many items each chunk had that was scored, and how many seconds that took."""
    rows = connection.execute(
        "SELECT item_count, seconds FROM batch_chunks WHERE job_id = %s AND kind = 'score' AND seconds IS NOT NULL",
        (number,),
    ).fetchall()
    return [(row["item_count"], row["seconds"]) for row in rows]


def outputs(connection: Reading, number: str, most: int) -> Iterator[Any]:
    """Return the outputs of a job in the order of its items, at most so many."""
    with connection.cursor("outputs") as cursor:
        cursor.itersize = PAGE
        cursor.execute(
            "SELECT output::text AS output FROM batch_results WHERE job_id = %s AND state = 'succeeded' "
            "ORDER BY item LIMIT %s",
            (number, most),
        )
        for row in cursor:
            yield orjson.loads(row["output"])


def inputs(connection: Reading, number: str, most: int) -> Iterator[Any]:
    """Return the items that came with their job, at most so many; an item that was tried again comes again."""
    left = most
    with connection.cursor("inputs") as cursor:
        cursor.itersize = 1
        cursor.execute(
            "SELECT input FROM batch_chunks WHERE job_id = %s AND input IS NOT NULL AND kind = 'score' "
            "AND state = 'done' ORDER BY number",
            (number,),
        )
        for row in cursor:
            for item in orjson.loads(row["input"])[:left]:
                left -= 1
                yield item
            if left == 0:
                return


def objects(connection: Reading, number: str) -> list[str]:
    """Return the keys of the objects with results of a table, in the order of their first rows."""
    rows = connection.execute(
        "SELECT result_key FROM batch_chunks WHERE job_id = %s AND result_key IS NOT NULL ORDER BY first_item",
        (number,),
    ).fetchall()
    return [str(row["result_key"]) for row in rows]


def sources(connection: Reading, number: str) -> list[dict[str, Any]]:
    """Return where the items of a job are that did not come with it, as far as they were scored."""
    rows = connection.execute(
        "SELECT source FROM batch_chunks WHERE job_id = %s AND source IS NOT NULL AND kind = 'score' "
        "AND state = 'done' ORDER BY number",
        (number,),
    ).fetchall()
    return [row["source"] for row in rows]


async def written(connection: AsyncConnection[DictRow], number: UUID) -> DictRow | None:
    """Return what followed the end of a job, and how the job is; None when there is no such job."""
    cursor = await connection.execute("SELECT state, model, summary FROM batch_jobs WHERE id = %s", (number,))
    return await cursor.fetchone()
