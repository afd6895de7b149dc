"""The outbox table."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from mlplatform.events.cloud_event import CloudEvent

PENDING_COUNTED = 10_000
AS_RELAY = {"ml.relay": "on"}
"""Settings of a transaction in which row-level security shows the events of every tenant."""


async def insert(connection: AsyncConnection[DictRow], events: Sequence[CloudEvent]) -> None:
    """Add events in their order, owned by the tenant of the transaction."""
    await connection.execute(
        """
        INSERT INTO outbox (event_id, type, event)
        SELECT event_id, type, event
        FROM unnest(%s::text[], %s::text[], %s::jsonb[]) WITH ORDINALITY AS n (event_id, type, event, position)
        ORDER BY position
        """,
        (
            [event.id for event in events],
            [event.type for event in events],
            [Jsonb(event.document()) for event in events],
        ),
    )


async def lock_pending(connection: AsyncConnection[DictRow], limit: int) -> list[DictRow]:
    """Take the oldest events that are due and that no other relay holds: rows of `id`, `type`, `event`."""
    cursor = await connection.execute(
        """
        SELECT id, type, event FROM outbox
        WHERE published_at IS NULL AND next_attempt_at <= now()
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
        """,
        (limit,),
    )
    return await cursor.fetchall()


async def mark_published(connection: AsyncConnection[DictRow], ids: Sequence[int]) -> None:
    """Record that these events are on their streams."""
    await connection.execute(
        "UPDATE outbox SET published_at = now(), attempts = attempts + 1 WHERE id = ANY(%s)", (list(ids),)
    )


async def mark_refused(connection: AsyncConnection[DictRow], ids: Sequence[int]) -> None:
    """Put events that Redis refuses off, by one second doubled at each attempt up to about five minutes."""
    await connection.execute(
        """
        UPDATE outbox SET attempts = attempts + 1,
            next_attempt_at = now() + interval '1 second' * power(2, least(attempts, 8))
        WHERE id = ANY(%s)
        """,
        (list(ids),),
    )


async def count_pending(connection: AsyncConnection[DictRow]) -> int:
    """Count the events not published yet, up to `PENDING_COUNTED`, so that a long queue costs no more to watch."""
    cursor = await connection.execute(
        "SELECT count(*) AS pending FROM (SELECT FROM outbox WHERE published_at IS NULL LIMIT %s) AS bounded",
        (PENDING_COUNTED,),
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row["pending"])


async def prune(connection: AsyncConnection[DictRow], retention: timedelta, limit: int) -> None:
    """Delete the oldest events that were published longer than `retention` ago, at most `limit`."""
    await connection.execute(
        """
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE published_at < now() - %s
            ORDER BY published_at LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (retention, limit),
    )
