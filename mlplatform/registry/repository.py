"""The SQL of the promotion ledger."""

from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL

Connection = AsyncConnection[DictRow]
COLUMNS = SQL("""id, model, stage, action, from_version, to_version, artifact_digest, gate_report_uri, actor, identity,
    reason, trace_id, state, failure, started_at, committed_at""")


async def lock_model(connection: Connection, model: str, wait: timedelta) -> None:
    """Take the lock on a model's promotions for the life of the connection.

    Raises:
        psycopg.errors.LockNotAvailable: Another connection held it for all of `wait`.
    """
    milliseconds = str(int(wait.total_seconds() * 1000))
    await connection.execute("SELECT set_config('lock_timeout', %s, false)", (milliseconds,))
    await connection.execute("SELECT pg_advisory_lock(hashtextextended('ml.promotion:' || %s, 0))", (model,))
    await connection.execute("SELECT set_config('lock_timeout', '0', false)")


async def reserve_id(connection: Connection) -> int:
    """Draw the id of the next promotion."""
    cursor = await connection.execute("SELECT nextval('model_promotions_id_seq') AS id")
    (row,) = await cursor.fetchall()
    return int(row["id"])


async def insert_intent(
    connection: Connection,
    *,
    promotion_id: int,
    model: str,
    stage: str,
    action: str,
    from_version: str | None,
    to_version: str,
    artifact_digest: str | None,
    gate_report_uri: str | None,
    actor: str,
    reason: str | None,
    trace_id: str | None,
    identity: str = "declared",
) -> DictRow:
    """Write what is about to be done, and return the row."""
    cursor = await connection.execute(
        SQL("""
        INSERT INTO model_promotions (id, model, stage, action, from_version, to_version, artifact_digest,
            gate_report_uri, actor, identity, reason, trace_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING {}
        """).format(COLUMNS),
        (
            promotion_id,
            model,
            stage,
            action,
            from_version,
            to_version,
            artifact_digest,
            gate_report_uri,
            actor,
            identity,
            reason,
            trace_id,
        ),
    )
    (row,) = await cursor.fetchall()
    return row


async def close(connection: Connection, promotion_id: int, state: str, failure: str | None = None) -> None:
    """End an intent."""
    await connection.execute(
        """
        UPDATE model_promotions
        SET state = %(state)s, failure = %(failure)s, committed_at = CASE WHEN %(state)s <> 'failed' THEN now() END
        WHERE id = %(id)s
        """,
        {"id": promotion_id, "state": state, "failure": failure},
    )


async def open_intent(connection: Connection, model: str) -> DictRow | None:
    """Read the intent of a model that nobody ended."""
    cursor = await connection.execute(
        SQL("SELECT {} FROM model_promotions WHERE model = %s AND state = 'intent'").format(COLUMNS),
        (model,),
    )
    return await cursor.fetchone()


async def done(connection: Connection, model: str) -> list[DictRow]:
    """Read what was done to a model, oldest first."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM model_promotions WHERE model = %s AND state IN ('committed', 'repaired') ORDER BY id
        """).format(COLUMNS),
        (model,),
    )
    return await cursor.fetchall()


async def page(connection: Connection, model: str, limit: int, before: int | None) -> list[DictRow]:
    """Read a page of a model's promotions, newest first, whatever their state."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM model_promotions
        WHERE model = %(model)s AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(limit)s
        """).format(COLUMNS),
        {"model": model, "before": before, "limit": limit},
    )
    return await cursor.fetchall()


async def get(connection: Connection, model: str, promotion_id: int) -> DictRow | None:
    """Read one promotion."""
    cursor = await connection.execute(
        SQL("SELECT {} FROM model_promotions WHERE model = %s AND id = %s").format(COLUMNS),
        (model, promotion_id),
    )
    return await cursor.fetchone()


async def models(connection: Connection) -> list[str]:
    """List the models that the ledger knows."""
    cursor = await connection.execute("SELECT DISTINCT model FROM model_promotions ORDER BY model")
    return [row["model"] for row in await cursor.fetchall()]


async def in_traffic(connection: Connection, model: str, version: str) -> bool:
    """Whether a routing document of serving names a version."""
    cursor = await connection.execute("SELECT to_regclass('model_traffic') IS NOT NULL AS present")
    (row,) = await cursor.fetchall()
    if not row["present"]:
        return False
    cursor = await connection.execute(
        """
        SELECT 1 FROM model_traffic
        WHERE model = %s AND jsonb_path_exists(document, '$.**.version ? (@ == $version)', jsonb_build_object(
            'version', %s::text))
        """,
        (model, version),
    )
    return await cursor.fetchone() is not None
