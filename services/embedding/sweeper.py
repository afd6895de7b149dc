"""Sends the event of a pending item again when it seems lost, as when Redis lost its data."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import psycopg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import CloudEvent, ItemRef, OutboxRelay, ReindexRequest, enqueue, streams
from mlplatform.events.outage import wait
from services.embedding import metrics, repository

SOURCE = "embedding"
ITEMS_PER_EVENT = 64
ITEMS_PER_SWEEP = 1024

log = structlog.get_logger(__name__)


class Sweeper:
    """Looks for overdue items of every tenant.

    An item that waits in a long stream is not lost: one is sent again only when its last event is older, by
    `overdue_after`, than the oldest event that the group has yet to handle.

    Args:
        database: Where the items are.
        redis: Where the stream is.
        relay: Publishes the events.
        group: The consumers of the stream.
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
        try:
            oldest = await streams.first_unread(self._redis, ReindexRequest.event_type, self._group)
        except ResponseError:  # no stream or no group, so nothing waits
            oldest = None
        seconds = 0.0 if oldest is None else time.time() - streams.milliseconds(oldest) / 1000
        return timedelta(seconds=max(0.0, seconds))

    async def _sweep_tenant(self, tenant: str, older_than: timedelta) -> int:
        async with self._database.transaction(tenant) as connection:
            rows = await repository.claim_overdue(connection, older_than=older_than, limit=ITEMS_PER_SWEEP)
            items = [ItemRef(**row) for row in rows]
            for event in _requests(tenant, items):
                await enqueue(connection, event)
        return len(items)


def _requests(tenant: str, items: Sequence[ItemRef]) -> list[CloudEvent]:
    return [
        CloudEvent.of(ReindexRequest(tenant=tenant, items=list(items[start : start + ITEMS_PER_EVENT])), source=SOURCE)
        for start in range(0, len(items), ITEMS_PER_EVENT)
    ]
