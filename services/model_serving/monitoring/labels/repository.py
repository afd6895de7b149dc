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


async def find_logged(connection: Connection, request_ids: Sequence[str]) -> list[DictRow]:
    """Return what was logged under these ids, the first answer first."""
    cursor = await connection.execute(
        """
        SELECT request_id, model, version, route, rows, positions, whole, at FROM prediction_log
        WHERE request_id = ANY(%s) AND error IS NULL ORDER BY at
        """,
        (list(request_ids),),
    )
    return await cursor.fetchall()


async def store(connection: Connection, labelled: Sequence[Labelled]) -> dict[Key, Change]:
    """Store labels, one per key at most; return what changed."""
    cursor = await connection.execute(
        """
        INSERT INTO prediction_feedback (request_id, model, position, label, value, predicted_at, valued_at)
        SELECT *, CASE WHEN value IS NOT NULL THEN now() END
        FROM unnest(%s::text[], %s::text[], %s::int[], %s::jsonb[], %s::float8[], %s::timestamptz[])
            AS given (request_id, model, position, label, value, predicted_at)
        ON CONFLICT (tenant_id, request_id, model, position) DO UPDATE
           SET label = coalesce(EXCLUDED.label, prediction_feedback.label),
               value = coalesce(EXCLUDED.value, prediction_feedback.value),
               valued_at = coalesce(prediction_feedback.valued_at, EXCLUDED.valued_at),
               received_at = now()
         WHERE (EXCLUDED.label IS NOT NULL AND prediction_feedback.label IS DISTINCT FROM EXCLUDED.label)
            OR (EXCLUDED.value IS NOT NULL AND prediction_feedback.value IS DISTINCT FROM EXCLUDED.value)
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
