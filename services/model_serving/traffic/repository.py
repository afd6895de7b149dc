"""The SQL of traffic."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

Connection = AsyncConnection[DictRow]
DOCUMENT = SQL("model, revision, document, epochs, action, actor, reason, changed_at")
WITH_BEGIN = SQL("""
    model, revision, document, epochs, action, actor, reason, changed_at,
    (SELECT h.changed_at FROM model_traffic_history h
     WHERE h.model = kept.model AND h.revision = (kept.epochs ->> 'experiment')::bigint) AS began
""")


async def heads(connection: Connection) -> dict[str, int]:
    """Read the revision of every model that ever had a document."""
    cursor = await connection.execute("SELECT model, revision FROM model_traffic")
    return {row["model"]: row["revision"] for row in await cursor.fetchall()}


async def documents(connection: Connection, models: Sequence[str]) -> list[DictRow]:
    """Read the documents of some models."""
    query = SQL("SELECT {} FROM model_traffic kept WHERE model = ANY(%s)").format(WITH_BEGIN)
    cursor = await connection.execute(query, (list(models),))
    return await cursor.fetchall()


async def replace(
    connection: Connection,
    *,
    model: str,
    expected: int,
    document: Mapping[str, Any] | None,
    epochs: Mapping[str, int],
    action: str,
    actor: str,
    reason: str | None,
) -> DictRow | None:
    """Write the revision after `expected`, and return the row; None when the document is at another revision.

    Args:
        connection: in a transaction.
        model: its name.
        expected: revision that is replaced; 0 when there was never a document.
        document: the new one; None to clear it.
        epochs: since when its parts are what they are.
        action: set, clear or abort.
        actor: who does it.
        reason: why.
    """
    stored = None if document is None else Jsonb(document)
    values = (stored, Jsonb(dict(epochs)), action, actor, reason, expected + 1, model)
    if not expected:
        statement = SQL("""
            INSERT INTO model_traffic (document, epochs, action, actor, reason, revision, model)
            VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (model) DO NOTHING RETURNING {}
        """)
        cursor = await connection.execute(statement.format(DOCUMENT), values)
    else:
        statement = SQL("""
            UPDATE model_traffic
            SET document = %s, epochs = %s, action = %s, actor = %s, reason = %s, revision = %s, changed_at = now()
            WHERE model = %s AND revision = %s RETURNING {}
        """)
        cursor = await connection.execute(statement.format(DOCUMENT), (*values, expected))
    return await cursor.fetchone()


async def history(connection: Connection, model: str, limit: int, before: int | None) -> list[DictRow]:
    """Read a page of a model's documents, newest first."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM model_traffic_history
        WHERE model = %(model)s AND (%(before)s::bigint IS NULL OR revision < %(before)s)
        ORDER BY revision DESC LIMIT %(limit)s
        """).format(DOCUMENT),
        {"model": model, "before": before, "limit": limit},
    )
    return await cursor.fetchall()


async def newest_with_experiment(connection: Connection, model: str, experiment: str) -> DictRow | None:
    """Read the newest document of a model that held an experiment of that name."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM model_traffic_history kept
        WHERE model = %s AND document #>> '{{experiment,name}}' = %s ORDER BY revision DESC LIMIT 1
        """).format(WITH_BEGIN),
        (model, experiment),
    )
    return await cursor.fetchone()


WRITE_WINDOW = """
    INSERT INTO traffic_windows AS kept
        (model, route, epoch, version, slot, replica, requests, errors, refused, seconds, latency)
    VALUES (%(model)s, %(route)s, %(epoch)s, %(version)s, %(slot)s, %(replica)s, %(requests)s, %(errors)s, %(refused)s,
        %(seconds)s, %(latency)s)
    ON CONFLICT (model, slot, route, epoch, version, replica) DO UPDATE
    SET requests = excluded.requests, errors = excluded.errors, refused = excluded.refused,
        seconds = excluded.seconds, latency = excluded.latency
    WHERE kept.requests < excluded.requests
"""
WRITE_EXPERIMENT = """
    INSERT INTO experiment_totals AS kept
        (model, experiment, epoch, arm, version, replica, requests, errors, refused, seconds, latency, outcomes, mean,
         deviations)
    VALUES (%(model)s, %(experiment)s, %(epoch)s, %(arm)s, %(version)s, %(replica)s, %(requests)s, %(errors)s,
        %(refused)s, %(seconds)s, %(latency)s, %(outcomes)s, %(mean)s, %(deviations)s)
    ON CONFLICT (model, experiment, epoch, arm, version, replica) DO UPDATE
    SET requests = excluded.requests, errors = excluded.errors, refused = excluded.refused, seconds = excluded.seconds,
        latency = excluded.latency, outcomes = excluded.outcomes, mean = excluded.mean,
        deviations = excluded.deviations, updated_at = now()
    WHERE kept.requests + kept.outcomes < excluded.requests + excluded.outcomes
"""
WRITE_SHADOW = """
    INSERT INTO shadow_totals AS kept
        (model, target, epoch, version, replica, requests, errors, incomparable, dropped, compared, agreed, difference,
         shadow_seconds, primary_seconds, shadow_latency, primary_latency)
    VALUES (%(model)s, %(target)s, %(epoch)s, %(version)s, %(replica)s, %(requests)s, %(errors)s, %(incomparable)s,
        %(dropped)s, %(compared)s, %(agreed)s, %(difference)s, %(shadow_seconds)s, %(primary_seconds)s,
        %(shadow_latency)s, %(primary_latency)s)
    ON CONFLICT (model, target, epoch, version, replica) DO UPDATE
    SET requests = excluded.requests, errors = excluded.errors, incomparable = excluded.incomparable,
        dropped = excluded.dropped, compared = excluded.compared, agreed = excluded.agreed,
        difference = excluded.difference, shadow_seconds = excluded.shadow_seconds,
        primary_seconds = excluded.primary_seconds, shadow_latency = excluded.shadow_latency,
        primary_latency = excluded.primary_latency, updated_at = now()
    WHERE kept.requests + kept.dropped < excluded.requests + excluded.dropped
"""


async def write(connection: Connection, statement: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write this replica's totals; older totals of the same row give way, newer ones stay."""
    async with connection.cursor() as cursor:
        await cursor.executemany(statement, list(rows))


async def windows(connection: Connection, models: Sequence[str], since: int) -> list[DictRow]:
    """Read what all replicas counted for some models from a slot on."""
    cursor = await connection.execute(
        """
        SELECT model, route, epoch, version, slot, replica, requests, errors, refused, seconds, latency
        FROM traffic_windows WHERE model = ANY(%s) AND slot >= %s
        """,
        (list(models), since),
    )
    return await cursor.fetchall()


async def forget_windows(connection: Connection, before: int) -> None:
    """Delete the windows before a slot."""
    await connection.execute("DELETE FROM traffic_windows WHERE slot < %s", (before,))


async def experiment_totals(connection: Connection, model: str, experiment: str, epoch: int) -> list[DictRow]:
    """Read what all replicas counted for an experiment since an epoch."""
    cursor = await connection.execute(
        """
        SELECT arm, version, requests, errors, refused, seconds, latency, outcomes, mean, deviations
        FROM experiment_totals WHERE model = %s AND experiment = %s AND epoch = %s
        """,
        (model, experiment, epoch),
    )
    return await cursor.fetchall()


async def shadow_totals(connection: Connection, model: str, targets: Mapping[str, int]) -> list[DictRow]:
    """Read what all replicas counted for shadows, each since its epoch."""
    cursor = await connection.execute(
        """
        SELECT kept.* FROM shadow_totals kept
        JOIN unnest(%s::text[], %s::bigint[]) AS wanted (target, epoch) USING (target, epoch)
        WHERE kept.model = %s
        """,
        (list(targets), list(targets.values()), model),
    )
    return await cursor.fetchall()
