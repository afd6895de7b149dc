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

WINDOW = sql.SQL("model, version, started_at, ended_at, rows, alarm, findings::text AS findings")
"""A window; its findings as text, to be read in a thread."""
MOST_ANSWERS = 20
"""Answers under the request id of a label that are looked at."""
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
    """List the models and versions with logged predictions, by a step of the index for each of them."""
    cursor = await connection.execute(
        """
        WITH RECURSIVE seen AS (
            (SELECT model, version FROM prediction_log ORDER BY model, version LIMIT 1)
            UNION ALL
            SELECT following.model, following.version FROM seen CROSS JOIN LATERAL (
                SELECT model, version FROM prediction_log AS log
                WHERE (log.model, log.version) > (seen.model, seen.version)
                ORDER BY log.model, log.version LIMIT 1) AS following)
        SELECT model, version FROM seen CROSS JOIN LATERAL (
            SELECT at FROM prediction_log AS log WHERE log.model = seen.model AND log.version = seen.version
            ORDER BY at DESC LIMIT 1) AS newest
        WHERE newest.at >= %s ORDER BY model, version
        """,
        (since,),
    )
    return [(row["model"], row["version"]) for row in await cursor.fetchall()]


async def newest_predictions(
    connection: Connection, model: str, version: str, *, since: datetime, rows: int, size: int
) -> list[DictRow]:
    """Return what was logged of a version, newest first, up to so many rows and signs of JSON, as text for a thread."""
    cursor = await connection.execute(
        """
        SELECT at, whole, inputs, predictions FROM (
            SELECT at, whole, inputs::text, predictions::text, row_number() OVER newest AS place,
                   sum(CASE WHEN whole THEN 1 ELSE coalesce(cardinality(positions), rows) END) OVER newest AS running,
                   sum(coalesce(length(inputs::text), 0) + coalesce(length(predictions::text), 0)) OVER newest AS signs
            FROM (SELECT * FROM prediction_log
                  WHERE model = %(model)s AND version = %(version)s AND at >= %(since)s AND error IS NULL
                  ORDER BY at DESC LIMIT %(rows)s) AS logged
            WINDOW newest AS (ORDER BY at DESC ROWS UNBOUNDED PRECEDING)) AS counted
        WHERE (running <= %(rows)s AND signs <= %(size)s) OR place = 1 ORDER BY at DESC
        """,
        {"model": model, "version": version, "since": since, "rows": rows, "size": size},
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


async def labelled(
    connection: Connection, model: str, version: str, *, since: datetime, limit: int, size: int
) -> list[DictRow]:
    """Return the newest labels of a model with what a version predicted on each route, JSON as text.

    Args:
        connection: Of a transaction of the monitor.
        model: Its name.
        version: Labels of predictions of others are left out.
        since: When labels came in.
        limit: Labels of the model that are looked at.
        size: Signs of JSON that are returned, with one row at least.
    """
    await connection.execute("SET LOCAL enable_sort = off")  # see `find_logged` of the labels
    cursor = await connection.execute(
        """
        WITH newest AS MATERIALIZED (
            SELECT tenant_id, request_id, position, label, predicted_at, received_at FROM prediction_feedback
            WHERE model = %(model)s AND received_at >= %(since)s AND label IS NOT NULL
            ORDER BY received_at DESC LIMIT %(limit)s),
        found AS MATERIALIZED (
            SELECT answer.*, newest.position, newest.label::text AS label, newest.received_at
            FROM newest CROSS JOIN LATERAL (
                SELECT DISTINCT ON (answered.version, answered.route) answered.*
                FROM (SELECT log.model, log.version, log.route, log.positions, log.whole, log.at,
                             log.predictions::text AS predictions
                      FROM prediction_log AS log
                      WHERE log.tenant_id = newest.tenant_id AND log.request_id = newest.request_id
                        AND log.error IS NULL
                        AND log.at BETWEEN newest.predicted_at - interval '1 hour' AND newest.predicted_at
                      ORDER BY log.at DESC LIMIT %(answers)s) AS answered
                WHERE answered.model = %(model)s
                ORDER BY answered.version, answered.route, answered.at DESC) AS answer
            WHERE answer.version = %(version)s),
        counted AS (
            SELECT *, row_number() OVER latest AS place,
                   sum(length(label) + coalesce(length(predictions), 0)) OVER latest AS running
            FROM found WINDOW latest AS (ORDER BY received_at DESC ROWS UNBOUNDED PRECEDING))
        SELECT version, route, positions, whole, predictions, position, label FROM counted
        WHERE running <= %(size)s OR place = 1
        """,
        {
            "model": model,
            "version": version,
            "since": since,
            "limit": limit,
            "answers": MOST_ANSWERS,
            "size": size,
        },
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
        sql.SQL("""
        WITH newest AS (
            SELECT DISTINCT ON (model, version) model, version, ended_at FROM monitoring_windows
            WHERE ended_at >= %s ORDER BY model, version, ended_at DESC)
        SELECT {} FROM newest JOIN monitoring_windows USING (model, version, ended_at)
        """).format(WINDOW),
        (since,),
    )
    return await cursor.fetchall()


async def newest_windows(
    connection: Connection, model: str, version: str | None, since: datetime, limit: int
) -> list[DictRow]:
    """Return the newest window of each version of a model, the newest versions first."""
    cursor = await connection.execute(
        sql.SQL("""
        WITH newest AS (
            SELECT DISTINCT ON (version) model, version, ended_at FROM monitoring_windows
            WHERE model = %(model)s AND (%(version)s::text IS NULL OR version = %(version)s) AND ended_at >= %(since)s
            ORDER BY version, ended_at DESC)
        SELECT {} FROM newest JOIN monitoring_windows USING (model, version, ended_at)
        ORDER BY length(version) DESC, version DESC LIMIT %(limit)s
        """).format(WINDOW),
        {"model": model, "version": version, "since": since, "limit": limit},
    )
    return await cursor.fetchall()


async def windows_of(
    connection: Connection,
    model: str,
    version: str | None,
    *,
    since: datetime,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[DictRow]:
    """Return what was found about a model, newest first, from the one after `before` on."""
    ended_at, of_version = before or (None, None)
    cursor = await connection.execute(
        sql.SQL("""
        SELECT {} FROM monitoring_windows
        WHERE model = %(model)s AND (%(version)s::text IS NULL OR version = %(version)s) AND ended_at >= %(since)s
          AND (%(ended_at)s::timestamptz IS NULL OR (ended_at, version) < (%(ended_at)s, %(of_version)s::text))
        ORDER BY ended_at DESC, version DESC LIMIT %(limit)s
        """).format(WINDOW),
        {
            "model": model,
            "version": version,
            "since": since,
            "ended_at": ended_at,
            "of_version": of_version,
            "limit": limit,
        },
    )
    return await cursor.fetchall()


async def spread_windows(
    connection: Connection, model: str, versions: Sequence[str], since: datetime, each: int
) -> list[DictRow]:
    """Return windows of these versions, newest first: of each as many at most, at even distances from the newest on."""
    cursor = await connection.execute(
        sql.SQL("""
        WITH placed AS (
            SELECT model, version, ended_at, count(*) OVER (PARTITION BY version) AS number,
                   row_number() OVER (PARTITION BY version ORDER BY ended_at DESC) - 1 AS place
            FROM monitoring_windows
            WHERE model = %(model)s AND version = ANY(%(versions)s) AND ended_at >= %(since)s)
        SELECT {} FROM placed JOIN monitoring_windows USING (model, version, ended_at)
        WHERE mod(place, (number + %(each)s - 1) / %(each)s) = 0
        ORDER BY ended_at DESC, version DESC
        """).format(WINDOW),
        {"model": model, "versions": list(versions), "since": since, "each": each},
    )
    return await cursor.fetchall()


async def _number(connection: Connection, statement: str, values: Sequence[object]) -> int:
    cursor = await connection.execute(statement, values)
    row = await cursor.fetchone()
    return 0 if row is None else int(row["number"])
