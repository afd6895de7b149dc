"""Sends the event of a pending item again when it seems lost, as when Redis lost its data."""

import asyncio
import time
from datetime import timedelta

import psycopg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import (
    BulkReindexRequest,
    CloudEvent,
    ItemRef,
    OutboxRelay,
    ReindexRequest,
    enqueue_all,
    streams,
)
from mlplatform.events.outage import wait
from services.embedding import metrics, repository

SOURCE = "embedding"
ITEMS_PER_EVENT = 64
ITEMS_PER_CLAIM = 1024
STREAMS = (ReindexRequest.event_type, BulkReindexRequest.event_type)

log = structlog.get_logger(__name__)


class Sweeper:
    """Looks for overdue items of every tenant.

    An item that waits in a long stream is not lost: one is sent again only when its last event is older, by
    `overdue_after`, than the oldest event that the group has yet to handle. Lost are usually many at once, so they are
    sent to the stream of those that came by the thousand.

    Args:
        database: Where the items are.
        redis: Where the streams are.
        relay: Publishes the events.
        group: The consumers of the streams.
        interval: Time between two looks.
        overdue_after: Age of an item's last event at which it counts as lost.
    """

    def __init__(
        self,
        database: Database,
        redis: Redis,
        relay: OutboxRelay,
        *,
        group: str,
        interval: timedelta,
        overdue_after: timedelta,
    ) -> None:
        self._database = database
        self._redis = redis
        self._relay = relay
        self._group = group
        self._interval = interval
        self._overdue_after = overdue_after
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return after the sweep at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Sweep until stopped, through outages of Postgres and Redis."""
        while not self._stopping.is_set():
            try:
                await self.sweep()
            except (psycopg.Error, RedisError, DependencyUnavailable) as error:
                log.warning("embedding.sweep_failed", error=type(error).__name__)
            await wait(self._stopping, self._interval)

    async def sweep(self) -> int:
        """Send the events of overdue items once.

        Returns:
            How many items that were.

        Raises:
            psycopg.OperationalError: Postgres does not answer.
            DependencyUnavailable: No connection can be had.
            redis.exceptions.RedisError: Redis does not answer.
        """
        older_than = self._overdue_after + await self._backlog()
        async with self._database.transaction() as connection:
            tenants = await repository.list_tenants(connection)
        found = 0
        for tenant in tenants:
            found += await self._sweep_tenant(tenant, older_than)
        if found:
            metrics.REQUEUED.inc(found)
            log.warning("embedding.items_requeued", items=found)
            self._relay.wake()
        return found

    async def _backlog(self) -> timedelta:
        """How long the oldest event that the group has yet to handle has waited."""
        added = [milliseconds for stream in STREAMS if (milliseconds := await self._oldest(stream)) is not None]
        return timedelta(seconds=max(0.0, time.time() - min(added) / 1000) if added else 0.0)

    async def _oldest(self, stream: str) -> int | None:
        try:
            oldest = await streams.first_unread(self._redis, stream, self._group)
        except ResponseError:  # no stream or no group, so nothing waits
            return None
        return None if oldest is None else streams.milliseconds(oldest)

    async def _sweep_tenant(self, tenant: str, older_than: timedelta) -> int:
        found = 0
        while not self._stopping.is_set():
            async with self._database.transaction(tenant) as connection:
                rows = await repository.claim_overdue(connection, older_than=older_than, limit=ITEMS_PER_CLAIM)
                await enqueue_all(connection, _requests(tenant, [ItemRef(**row) for row in rows]))
            found += len(rows)
            if len(rows) < ITEMS_PER_CLAIM:
                break
        return found


def _requests(tenant: str, items: list[ItemRef]) -> list[CloudEvent]:
    return [
        CloudEvent.of(BulkReindexRequest(tenant=tenant, items=items[start : start + ITEMS_PER_EVENT]), source=SOURCE)
        for start in range(0, len(items), ITEMS_PER_EVENT)
    ]
