"""Following a stream without a group."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mlplatform.events import streams
from mlplatform.events.background import end_with_task
from mlplatform.events.cloud_event import CloudEvent
from mlplatform.events.outage import Outage
from mlplatform.events.schemas import parse
from mlplatform.events.streams import Entry

logger = structlog.get_logger(__name__)


class StreamTail:
    """The events that appear on a stream from the first step of the iteration on; every reader sees all of them.

    A hint and no more: what appears while Redis is down or flushed may be missed, and nothing is acknowledged. What an
    event tells must be found by polling too. The iteration ends only with its task.
    """

    def __init__(self, redis: Redis, stream: str) -> None:
        self._redis = redis
        self._stream = stream
        self._outage = Outage(f"tail of {stream}")
        self._last: str | None = None

    async def __aiter__(self) -> AsyncIterator[CloudEvent]:
        """Yield events as they come, through outages of Redis."""
        while True:
            end_with_task()
            try:
                entries = await self._read()
            except RedisError as error:
                await asyncio.sleep(self._outage.failed(error).total_seconds())
                continue
            self._outage.ended()
            for entry in entries:
                self._last = entry.id
                try:
                    event = parse(entry.document or b"")
                except ValueError as error:
                    logger.warning("events.unreadable", stream=self._stream, entry_id=entry.id, reason=str(error))
                    continue
                yield event

    async def _read(self) -> list[Entry]:
        if self._last is None:
            self._last = await self._end()
        reply = await self._redis.xread({self._stream: self._last}, block=streams.block(self._redis))
        return streams.entries(reply)

    async def _end(self) -> str:
        """Return the id after which everything is new. Asking for `$` in each read would miss what comes between."""
        try:
            return streams.text((await self._redis.xinfo_stream(self._stream))["last-generated-id"])
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
            return streams.START
