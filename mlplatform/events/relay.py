"""From the outbox to the streams."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import orjson
import psycopg
import structlog
from psycopg.rows import DictRow
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import metrics, repository, streams
from mlplatform.events.outage import Outage, wait
from mlplatform.events.redis_errors import is_outage
from mlplatform.events.schemas import SCHEMAS

logger = structlog.get_logger(__name__)

HOUSEKEEPING_INTERVAL = 30.0
PRUNE_BATCH = 5_000


class OutboxRelay:
    """Publishes events at least once, in the order in which this relay finds them.

    Every service runs one. Relays share the outbox by row locks; a relay that dies between publishing and committing
    leaves its events to be published again, under the same event ids.

    Args:
        database: where the outbox is.
        redis: where the streams are.
        poll_interval: how long an event enqueued by another process may wait.
        batch: events published in one transaction.
        stream_length: entries that a stream keeps about, unread ones aside.
        retention: how long published events stay in the outbox.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        *,
        poll_interval: timedelta = timedelta(milliseconds=200),
        batch: int = 200,
        stream_length: int = 100_000,
        retention: timedelta = timedelta(days=7),
    ) -> None:
        self._database = database
        self._redis = redis
        self._poll_interval = poll_interval
        self._batch = batch
        self._stream_length = stream_length
        self._retention = retention
        self._outage = Outage("outbox relay")
        self._awake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._housekeeping_due = 0.0

    def wake(self) -> None:
        """Have the loop look at once: call it after the commit of a transaction that enqueued."""
        self._awake.set()

    def stop(self) -> None:
        """Let `run` return after the batch at hand."""
        self._stopping.set()
        self._awake.set()

    async def run(self) -> None:
        """Publish until stopped, through outages of Postgres and Redis."""
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                published = await self._publish_batch()
                await self._housekeep()
            except (RedisError, psycopg.Error, DependencyUnavailable) as error:
                await wait(self._stopping, self._outage.failed(error))
                continue
            self._outage.ended()
            if published < self._batch:
                await wait(self._awake, self._poll_interval)

    async def relay_once(self) -> int:
        """Publish what is due now, for a script without a loop, and return how many events that were.

        Raises:
            psycopg.OperationalError: when Postgres does not answer; nothing is lost.
            redis.exceptions.RedisError: when Redis does not; nothing is lost.
        """
        total = 0
        while published := await self._publish_batch():
            total += published
        return total

    async def _publish_batch(self) -> int:
        async with self._database.transaction(settings=repository.AS_RELAY) as connection:
            rows = await repository.lock_pending(connection, self._batch)
            if not rows:
                return 0
            replies = await self._add(rows)
            published = [row for row, reply in zip(rows, replies, strict=True) if not isinstance(reply, Exception)]
            refused = [
                (row, reply)
                for row, reply in zip(rows, replies, strict=True)
                if isinstance(reply, ResponseError) and not is_outage(reply)
            ]
            if published:
                await repository.mark_published(connection, [row["id"] for row in published])
            if refused:
                await repository.mark_refused(connection, [row["id"] for row, _ in refused])
        for row in published:
            metrics.OUTBOX_PUBLISHED.labels(row["type"]).inc()
        for row, refusal in refused:
            metrics.OUTBOX_REFUSED.labels(row["type"]).inc()
            logger.error("events.refused", outbox_id=row["id"], stream=row["type"], error=str(refusal))
        for reply in replies:
            if isinstance(reply, Exception) and is_outage(reply):
                raise reply
        return len(published)

    async def _add(self, rows: Sequence[DictRow]) -> list[object]:
        pipeline = self._redis.pipeline(transaction=False)
        for row in rows:
            pipeline.xadd(row["type"], {streams.EVENT_FIELD: orjson.dumps(row["event"])})
        return list(await pipeline.execute(raise_on_error=False))

    async def _housekeep(self) -> None:
        if time.monotonic() < self._housekeeping_due:
            return
        self._housekeeping_due = time.monotonic() + HOUSEKEEPING_INTERVAL
        async with self._database.transaction(settings=repository.AS_RELAY) as connection:
            metrics.OUTBOX_PENDING.set(await repository.count_pending(connection))
            await repository.prune(connection, self._retention, PRUNE_BATCH)
        for stream in SCHEMAS:
            await streams.trim(self._redis, stream, self._stream_length)
