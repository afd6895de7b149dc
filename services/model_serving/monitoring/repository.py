"""The statements of monitoring."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import date, datetime, timedelta
from typing import TypeAlias

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from services.model_serving.monitoring.entry import Entry

Connection: TypeAlias = AsyncConnection[DictRow]

COLUMNS = sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Entry))


async def copy_entries(connection: Connection, day: date, entries: Sequence[Entry]) -> None:
    """Write entries of one day (UTC).

    Raises:
        psycopg.errors.UndefinedTable: the day has no partition.
    """
    table = sql.Identifier(f"prediction_log_{day:%Y%m%d}")
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, COLUMNS)
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for entry in entries:
            await copy.write_row(astuple(entry))


async def create_partitions(connection: Connection, days_ahead: int) -> int:
    """Make the partitions that are missing, and return how many that were."""
    return await _number(connection, "SELECT create_prediction_partitions(%s) AS number", (days_ahead,))


async def drop_partitions(connection: Connection, keep: timedelta) -> int:
    """Drop the partitions and labels of days longer ago, and return how many partitions that were."""
    return await _number(connection, "SELECT drop_prediction_partitions(%s) AS number", (keep.days,))


async def claim(connection: Connection, task: str, interval: timedelta) -> bool:
    """Take a task that is due, so that no other process does it before it is due again."""
    cursor = await connection.execute(
        "UPDATE monitoring_tasks SET due_at = now() + %s WHERE name = %s AND due_at <= now() RETURNING name",
        (interval, task),
    )
    return await cursor.fetchone() is not None


async def act_as_monitor(connection: Connection) -> None:
    """Let row-level security show the predictions and labels of every tenant, until the transaction ends."""
    await connection.execute("SELECT set_config('ml.monitor', 'on', true)")


async def logged_versions(connection: Connection, since: datetime) -> list[tuple[str, str]]:
    """List the models and versions with logged predictions."""
    cursor = await connection.execute(
        "SELECT DISTINCT model, version FROM prediction_log WHERE at >= %s ORDER BY model, version", (since,)
    )
    return [(row["model"], row["version"]) for row in await cursor.fetchall()]


async def newest_predictions(
    connection: Connection, model: str, version: str, since: datetime, rows: int
) -> list[DictRow]:
    """Return what was logged of a version, newest first, up to so many rows; JSON as text, to be read in a thread."""
    cursor = await connection.execute(
        """
        SELECT at, whole, inputs, predictions FROM (
            SELECT at, whole, inputs::text, predictions::text, row_number() OVER newest AS place,
                   sum(CASE WHEN whole THEN 1 ELSE coalesce(cardinality(positions), rows) END) OVER newest AS running
            FROM (SELECT * FROM prediction_log
                  WHERE model = %(model)s AND version = %(version)s AND at >= %(since)s AND error IS NULL
                  ORDER BY at DESC LIMIT %(rows)s) AS logged
            WINDOW newest AS (ORDER BY at DESC ROWS UNBOUNDED PRECEDING)) AS counted
        WHERE running <= %(rows)s OR place = 1 ORDER BY at DESC
        """,
        {"model": model, "version": version, "since": since, "rows": rows},
    )
    return await cursor.fetchall()


async def traffic(connection: Connection, model: str, version: str, since: datetime) -> DictRow | None:
    """Return requests, rows, errors and latencies of what was logged of a version."""
    cursor = await connection.execute(
        """
        SELECT count(*) AS requests, coalesce(sum(rows), 0) AS rows, count(error) AS errors,
               percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS latency_ms
        FROM prediction_log WHERE model = %s AND version = %s AND at >= %s
        """,
        (model, version, since),
    )
    return await cursor.fetchone()


async def labelled(connection: Connection, model: str, since: datetime, limit: int) -> list[DictRow]:
    """Return the newest labels of a model with what was predicted, by every version and route that answered."""
    cursor = await connection.execute(
        """
        SELECT log.version, log.route, log.positions, log.whole, log.predictions::text AS predictions,
               feedback.position, feedback.label::text AS label
        FROM prediction_feedback AS feedback
        JOIN prediction_log AS log
          ON log.tenant_id = feedback.tenant_id AND log.request_id = feedback.request_id
         AND log.model = feedback.model AND log.error IS NULL
         AND log.at BETWEEN feedback.predicted_at - interval '1 hour' AND feedback.predicted_at + interval '1 hour'
        WHERE feedback.model = %s AND feedback.received_at >= %s AND feedback.label IS NOT NULL
        ORDER BY feedback.received_at DESC LIMIT %s
        """,
        (model, since, limit),
    )
    return await cursor.fetchall()


async def insert_window(
    connection: Connection,
    *,
    model: str,
    version: str,
    started_at: datetime,
    ended_at: datetime,
    rows: int,
    alarm: bool,
    findings: object,
) -> None:
    """Store what was found about a window."""
    await connection.execute(
        """
        INSERT INTO monitoring_windows (model, version, started_at, ended_at, rows, alarm, findings)
        VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (model, version, started_at, ended_at, rows, alarm, Jsonb(findings)),
    )


async def prune_windows(connection: Connection, keep: timedelta) -> None:
    """Delete what was found longer ago."""
    await connection.execute("DELETE FROM monitoring_windows WHERE ended_at < now() - %s", (keep,))


async def last_windows(connection: Connection, since: datetime) -> list[DictRow]:
    """Return the newest window of each version that has one."""
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (model, version) * FROM monitoring_windows
        WHERE ended_at >= %s ORDER BY model, version, ended_at DESC
        """,
        (since,),
    )
    return await cursor.fetchall()


async def windows_of(connection: Connection, model: str, since: datetime, limit: int) -> list[DictRow]:
    """Return what was found about a model, newest first."""
    cursor = await connection.execute(
        "SELECT * FROM monitoring_windows WHERE model = %s AND ended_at >= %s ORDER BY ended_at DESC LIMIT %s",
        (model, since, limit),
    )
    return await cursor.fetchall()


async def _number(connection: Connection, statement: str, values: Sequence[object]) -> int:
    cursor = await connection.execute(statement, values)
    row = await cursor.fetchone()
    return 0 if row is None else int(row["number"])
