"""Handling the events of a stream as one of a group of consumers."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import psycopg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mlplatform.errors import PlatformError
from mlplatform.events import metrics, streams
from mlplatform.events.background import end_with_task
from mlplatform.events.cloud_event import CloudEvent
from mlplatform.events.dead_letters import bury
from mlplatform.events.outage import Outage, wait
from mlplatform.events.pending import Delivery, PendingEntries
from mlplatform.events.redis_errors import is_outage
from mlplatform.events.schemas import parse
from mlplatform.events.streams import Entry
from mlplatform.events.tracing import consumer_span

logger = structlog.get_logger(__name__)

Handler = Callable[[list[CloudEvent]], Awaitable[None]]

LEAST_UNAVAILABLE_STATUS = 503


class StreamConsumer:
    """Calls a handler with batches of events, at least once each.

    An entry is acknowledged after the handler returned. When a batch fails, its events are handled one by one, and
    those that fail again are retried later, one by one, with growing delays. After `max_deliveries` an entry goes to
    the dead letters (`<stream>.dead`); one that is no event goes there at once. An entry whose consumer died is taken
    over after `claim_idle`, and counts as delivered once more, so that an event that kills its consumer ends there too.

    A store or service being down says nothing about the events: the handler is then called again with the same batch
    until it is back, and nothing is counted. A handler tells so by raising `DependencyUnavailable`, or by letting the
    error of psycopg, redis or httpx through.

    Args:
        redis: a client whose socket timeout, if any, exceeds a second.
        stream: name of the stream, which is the type of its events.
        group: consumers that share the work.
        handler: called with 1 to `batch` events of any tenants; it must be idempotent.
        consumer: name of this consumer, unlike that of any other running one. Default: host and process id.
        batch: most events of one call.
        claim_idle: after what silence an entry of another consumer is taken over.
        retry_delay: wait before the second delivery of a failed event, doubled at each further one.
        max_deliveries: after how many failed deliveries an event is given up.
    """

    def __init__(
        self,
        redis: Redis,
        stream: str,
        group: str,
        handler: Handler,
        *,
        consumer: str | None = None,
        batch: int = 64,
        claim_idle: timedelta = timedelta(seconds=15),
        retry_delay: timedelta = timedelta(seconds=1),
        max_deliveries: int = 5,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._group = group
        self._handler = handler
        self._consumer = consumer or f"{socket.gethostname()}-{os.getpid()}"
        self._batch = batch
        self._claim_idle = claim_idle
        self._retry_delay = retry_delay
        self._max_deliveries = max_deliveries
        self._pending = PendingEntries(redis, stream, group, self._consumer)
        self._outage = Outage(f"consumer {group} of {stream}")
        self._stopping = asyncio.Event()
        self._joined = False
        self._look_back_at = 0.0

    def stop(self) -> None:
        """Let `run` return after the batch at hand, within about a second when there is none."""
        self._stopping.set()

    async def run(self) -> None:
        """Handle events until stopped, through restarts and flushes of Redis."""
        while not self._stopping.is_set():
            try:
                await self._step()
            except RedisError as error:
                if _is_missing_group(error):
                    self._joined = False
                await wait(self._stopping, self._outage.failed(error))
            else:
                self._outage.ended()

    async def _step(self) -> None:
        if not self._joined:
            await streams.ensure_group(self._redis, self._stream, self._group)
            await self._pending.forget_dead_consumers()
            self._joined = True
            self._look_back_at = 0.0
        if time.monotonic() >= self._look_back_at:
            await self._look_back()
        entries = await self._read()
        events = await self._parse(entries)
        if events and not await self._handle_batch(events):
            self._look_back_at = min(self._look_back_at, time.monotonic() + self._retry_delay.total_seconds())

    async def _read(self) -> list[Entry]:
        reply = await self._redis.xreadgroup(
            self._group, self._consumer, {self._stream: ">"}, count=self._batch, block=streams.block(self._redis)
        )
        return streams.entries(reply)

    async def _look_back(self) -> None:
        """Deliver again what failed here or was left by a consumer that died."""
        await self._measure()
        deliveries = await self._pending.due(self._retry_delay, self._claim_idle)
        for delivery in deliveries:
            if self._stopping.is_set():
                return
            await self._redeliver(delivery)
        soon = self._retry_delay if deliveries else self._claim_idle / 2
        self._look_back_at = time.monotonic() + soon.total_seconds()

    async def _redeliver(self, delivery: Delivery) -> None:
        entry = await self._pending.claim(delivery)
        if entry is None:
            return
        if delivery.times >= self._max_deliveries:
            reason = f"delivered {delivery.times} times and never acknowledged"
            await self._bury(entry, reason, delivery.times)
            return
        events = await self._parse([entry], delivery.times + 1)
        if not events:
            return
        failure = await self._call(events)
        if failure is None:
            await self._acknowledge(events)
        elif delivery.times + 1 >= self._max_deliveries and not _is_unavailable(failure):
            await self._bury(entry, _reason(failure), delivery.times + 1)

    async def _handle_batch(self, events: dict[str, CloudEvent]) -> bool:
        """Handle events delivered for the first time; return whether all of them went well."""
        if await self._call(events) is None:
            await self._acknowledge(events)
            return True
        if len(events) == 1:
            return False
        well = True
        for entry_id, event in events.items():
            if await self._call({entry_id: event}) is None:
                await self._acknowledge({entry_id: event})
            else:
                well = False
        return well

    async def _call(self, events: dict[str, CloudEvent]) -> BaseException | None:
        """Call the handler, again while what it needs is unavailable, and return how it failed."""
        outage = Outage(f"handler of {self._group} of {self._stream}")
        async with self._holding(list(events)):
            while True:
                with consumer_span(self._stream, self._group, list(events.values())) as span:
                    # Any error of a handler is a result here, and a cancellation of this task is not.
                    (failure,) = await asyncio.gather(self._handler(list(events.values())), return_exceptions=True)
                    if isinstance(failure, BaseException):
                        span.record_exception(failure)
                if failure is None:
                    outage.ended()
                    return None
                if not _is_unavailable(failure):
                    metrics.FAILED.labels(self._stream, self._group).inc()
                    logger.warning(
                        "events.failed", stream=self._stream, group=self._group, events=len(events), exc_info=failure
                    )
                    return failure
                await wait(self._stopping, outage.failed(failure))
                if self._stopping.is_set():
                    return failure

    async def _parse(self, entries: Sequence[Entry], deliveries: int = 1) -> dict[str, CloudEvent]:
        """Return the events by entry id; bury what is none."""
        events = {}
        for entry in entries:
            try:
                events[entry.id] = parse(entry.document or b"")
            except ValueError as error:
                await self._bury(entry, _reason(error), deliveries)
        return events

    async def _acknowledge(self, events: dict[str, CloudEvent]) -> None:
        await self._redis.xack(self._stream, self._group, *events)
        metrics.PROCESSED.labels(self._stream, self._group).inc(len(events))

    async def _bury(self, entry: Entry, reason: str, deliveries: int) -> None:
        await bury(self._redis, self._stream, self._group, entry, reason=reason, deliveries=deliveries)

    async def _measure(self) -> None:
        oldest = await streams.first_unread(self._redis, self._stream, self._group)
        age = 0.0 if oldest is None else max(0.0, time.time() - streams.milliseconds(oldest) / 1000)
        metrics.LAG.labels(self._stream, self._group).set(age)

    @asynccontextmanager
    async def _holding(self, ids: list[str]) -> AsyncIterator[None]:
        """Keep other consumers from taking the entries over while they are being handled, however long it takes."""
        holder = asyncio.create_task(self._hold(ids))
        try:
            yield
        finally:
            holder.cancel()
            await asyncio.gather(holder, return_exceptions=True)

    async def _hold(self, ids: list[str]) -> None:
        outage = Outage(f"holding entries of {self._stream}")
        while True:
            end_with_task()
            await asyncio.sleep(self._claim_idle.total_seconds() / 3)
            try:
                await self._pending.hold(ids)
                await self._measure()
            except RedisError as error:
                outage.failed(error)
            else:
                outage.ended()


def _is_missing_group(error: RedisError) -> bool:
    return isinstance(error, ResponseError) and str(error).startswith("NOGROUP")


def _is_unavailable(error: BaseException) -> bool:
    """Return whether a handler failed for want of a store or service, and not because of its events."""
    if isinstance(error, PlatformError):
        return error.status >= LEAST_UNAVAILABLE_STATUS
    if isinstance(error, psycopg.OperationalError):
        # Postgres ends a statement that takes too long, or that the others of a deadlock wait for.
        return not isinstance(error, psycopg.errors.QueryCanceled | psycopg.errors.DeadlockDetected)
    return isinstance(error, httpx.TransportError) or (isinstance(error, RedisError) and is_outage(error))


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
