"""The statements about labels. Row-level security keeps them to the tenant of the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection: TypeAlias = AsyncConnection[DictRow]
Key: TypeAlias = tuple[str, str, int]
"""Request id, model and position: what a label is of."""

MOST_ANSWERS = 20
"""Answers under one request id that are looked at, the newest ones: more than models are asked under one."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a label changed.

    Attributes:
        is_new: There was none before.
        is_valued: There was no value before, and now there is.
    """

    is_new: bool
    is_valued: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """What is known of one row of a prediction.

    Attributes:
        label: JSON; None when only a value is known.
        value: What it was worth.
    """

    request_id: str
    model: str
    position: int
    label: str | None
    value: float | None
    predicted_at: datetime

    @property
    def key(self) -> Key:
        """What a label is of."""
        return self.request_id, self.model, self.position


async def find_logged(connection: Connection, request_ids: Sequence[str], since: datetime) -> list[DictRow]:
    """Return the newest answer of each model under these ids; the positions as JSON, to be read in a thread.

    Should have a transaction of its own, since it changes how the rest of that would be planned.
    """
    # Postgres expects few answers under an id, and would read all of one that was used often in order to sort them.
    await connection.execute("SET LOCAL enable_sort = off")
    # Row-level security alone would not use the index: it also lets the monitor see everything.
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (asked.request_id, log.model)
               asked.request_id, log.model, log.version, log.route, log.rows, log.whole, log.at,
               array_to_json(log.positions)::text AS positions
        FROM unnest(%(ids)s::text[]) AS asked (request_id)
        CROSS JOIN LATERAL (
            SELECT model, version, route, rows, positions, whole, at FROM prediction_log
            WHERE tenant_id = current_setting('ml.tenant') AND request_id = asked.request_id
              AND error IS NULL AND at >= %(since)s
            ORDER BY at DESC LIMIT %(most)s) AS log
        ORDER BY asked.request_id, log.model, log.at DESC
        """,
        {"ids": list(request_ids), "since": since, "most": MOST_ANSWERS},
    )
    return await cursor.fetchall()


async def store(connection: Connection, labelled: Sequence[Labelled]) -> dict[Key, Change]:
    """Store labels, one per key at most and in the order of keys; return what changed.

    A label of a newer answer under the same id takes the place of the older one.
    """
    cursor = await connection.execute(
        """
        INSERT INTO prediction_feedback (request_id, model, position, label, value, predicted_at, valued_at)
        SELECT *, CASE WHEN value IS NOT NULL THEN now() END
        FROM unnest(%s::text[], %s::text[], %s::int[], %s::jsonb[], %s::float8[], %s::timestamptz[])
            AS given (request_id, model, position, label, value, predicted_at)
        ON CONFLICT (tenant_id, request_id, model, position) DO UPDATE
           SET label = CASE WHEN EXCLUDED.predicted_at > prediction_feedback.predicted_at THEN EXCLUDED.label
                            ELSE coalesce(EXCLUDED.label, prediction_feedback.label) END,
               value = CASE WHEN EXCLUDED.predicted_at > prediction_feedback.predicted_at THEN EXCLUDED.value
                            ELSE coalesce(EXCLUDED.value, prediction_feedback.value) END,
               valued_at = CASE WHEN EXCLUDED.predicted_at > prediction_feedback.predicted_at THEN EXCLUDED.valued_at
                                ELSE coalesce(prediction_feedback.valued_at, EXCLUDED.valued_at) END,
               predicted_at = EXCLUDED.predicted_at,
               received_at = now()
         WHERE EXCLUDED.predicted_at > prediction_feedback.predicted_at
            OR (EXCLUDED.predicted_at = prediction_feedback.predicted_at
                AND ((EXCLUDED.label IS NOT NULL AND prediction_feedback.label IS DISTINCT FROM EXCLUDED.label)
                  OR (EXCLUDED.value IS NOT NULL AND prediction_feedback.value IS DISTINCT FROM EXCLUDED.value)))
        RETURNING request_id, model, position, xmax = 0 AS is_new,
                  coalesce(valued_at = now(), false) AS is_valued
        """,
        (
            [item.request_id for item in labelled],
            [item.model for item in labelled],
            [item.position for item in labelled],
            [item.label for item in labelled],
            [item.value for item in labelled],
            [item.predicted_at for item in labelled],
        ),
    )
    return {
        (row["request_id"], row["model"], row["position"]): Change(row["is_new"], row["is_valued"])
        for row in await cursor.fetchall()
    }
