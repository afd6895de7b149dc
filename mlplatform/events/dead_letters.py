"""Entries that no consumer could handle, kept for a person to look at."""

from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from mlplatform.events import metrics
from mlplatform.events.streams import EVENT_FIELD, Entry

logger = structlog.get_logger(__name__)

SUFFIX = ".dead"
KEPT = 10_000
REASON_LENGTH = 2_000


async def bury(redis: Redis, stream: str, group: str, entry: Entry, *, reason: str, deliveries: int) -> None:
    """Move `entry` to the dead letters of `stream`, in one step with its acknowledgement."""
    pipeline = redis.pipeline(transaction=True)
    pipeline.xadd(
        stream + SUFFIX,
        {
            EVENT_FIELD: entry.document or b"",
            "reason": reason[:REASON_LENGTH],
            "group": group,
            "entry_id": entry.id,
            "deliveries": deliveries,
            "buried_at": datetime.now(UTC).isoformat(),
        },
        maxlen=KEPT,
        approximate=True,
    )
    pipeline.xack(stream, group, entry.id)
    await pipeline.execute()
    metrics.DEAD.labels(stream, group).inc()
    logger.error("events.buried", stream=stream, group=group, entry_id=entry.id, deliveries=deliveries, reason=reason)
