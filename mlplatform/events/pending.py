"""Entries that a group was given and has not acknowledged: which are due again, and who holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.typing import StreamIdT

from mlplatform.events.streams import Entry, text

logger = structlog.get_logger(__name__)

LOOKED_AT = 100
# What Redis 6 returns for a claimed entry that was trimmed or deleted; later versions leave it out.
NO_LONGER_THERE: tuple[Any, Any] = (None, None)
FORGOTTEN_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry that was delivered before.

    Attributes:
        id: id of the entry.
        times: how often it was delivered.
        idle: time since the last delivery.
        mine: whether this consumer holds it.
    """

    id: str
    times: int
    idle: timedelta
    mine: bool


class PendingEntries:
    """The unacknowledged entries of a group, as one of its consumers sees them."""

    def __init__(self, redis: Redis, stream: str, group: str, consumer: str) -> None:
        self._redis = redis
        self._stream = stream
        self._group = group
        self._consumer = consumer

    async def due(self, retry_delay: timedelta, claim_idle: timedelta) -> list[Delivery]:
        """List what to deliver again: own entries after a growing delay, others' once they look abandoned."""
        mine = await self._list(retry_delay, self._consumer)
        abandoned = await self._list(claim_idle, None)
        return [
            *(delivery for delivery in mine if delivery.idle >= retry_delay * 2 ** min(delivery.times - 1, 16)),
            *(delivery for delivery in abandoned if not delivery.mine),
        ]

    async def claim(self, delivery: Delivery) -> Entry | None:
        """Take over one entry; None when another consumer was faster, or when it is no longer in the stream."""
        idle = int(delivery.idle / timedelta(milliseconds=1))
        claimed: list[Any] = await self._redis.xclaim(self._stream, self._group, self._consumer, idle, [delivery.id])
        if not claimed:
            return None
        if claimed[0] == NO_LONGER_THERE:
            logger.error("events.lost", stream=self._stream, group=self._group, entry_id=delivery.id)
            await self._redis.xack(self._stream, self._group, delivery.id)
            return None
        return Entry.of(claimed[0])

    async def hold(self, ids: Sequence[str]) -> None:
        """Tell the other consumers that these entries are being worked on."""
        await self._redis.xclaim(
            self._stream, self._group, self._consumer, 0, list[StreamIdT](ids), idle=0, justid=True
        )

    async def forget_dead_consumers(self) -> None:
        """Remove consumers that hold nothing and have not read for an hour; a live one reads every second."""
        for row in await self._redis.xinfo_consumers(self._stream, self._group):
            if row["pending"] == 0 and timedelta(milliseconds=row["idle"]) > FORGOTTEN_AFTER:
                await self._redis.xgroup_delconsumer(self._stream, self._group, row["name"])

    async def _list(self, idle: timedelta, consumer: str | None) -> list[Delivery]:
        rows: list[dict[str, Any]] = await self._redis.xpending_range(
            self._stream, self._group, "-", "+", LOOKED_AT, consumer, idle=int(idle / timedelta(milliseconds=1))
        )
        return [
            Delivery(
                id=text(row["message_id"]),
                times=int(row["times_delivered"]),
                idle=timedelta(milliseconds=int(row["time_since_delivered"])),
                mine=text(row["consumer"]) == self._consumer,
            )
            for row in rows
        ]
