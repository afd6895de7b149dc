"""Goes over all items again and again, until each has a vector in every space that is filled."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import psycopg
import structlog

from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.events.outage import Outage, wait
from mlplatform.spaces.repository import hold_spaces
from services.embedding import metrics
from services.embedding.filling import repository
from services.embedding.filling.storing import store
from services.embedding.indexing.encoding import encode
from services.embedding.indexing.pending import PendingItem
from services.embedding.served_model import Target

LEASE = timedelta(minutes=1)
PAGE = 1024
"""Items gone over before the cursor is stored."""
SLICE = 128
"""Items encoded and stored together, unless the rate is so low that this would take long."""
SLICE_SECONDS = 5
IDLE = timedelta(seconds=1)
START = ("", "")

log = structlog.get_logger(__name__)


class FillLostError(Exception):
    """The space is gone, or another node fills it."""


class Filler:
    """Fills spaces, one page of items after the other; of all nodes one at a time fills a space.

    What is written meanwhile is embedded for every space by the node that takes it, so a pass that finds nothing
    lacking is the proof that a space is complete, and not the end of a list that was made at the beginning.

    Args:
        database: Where the items are.
        targets: Returns the spaces to fill, with the queues of their models.
        node: Name of this node.
        rate: Texts a second at most; 0 for no limit.
        recheck: How long a complete space is left alone.
        lease: How long a space stays with a node that says nothing.
    """

    def __init__(
        self,
        database: Database,
        targets: Callable[[], Sequence[Target]],
        node: str,
        *,
        rate: float,
        recheck: timedelta,
        lease: timedelta = LEASE,
    ) -> None:
        self._database = database
        self._targets = targets
        self._node = node
        self._rate = rate
        self._slice = max(1, min(SLICE, int(rate * SLICE_SECONDS))) if rate else SLICE
        self._recheck = recheck
        self._lease = lease
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return after the slice at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Fill until stopped, through outages of Postgres."""
        outage = Outage("space filling")
        while not self._stopping.is_set():
            worked = False
            try:
                worked = await self._go_over()
            except FillLostError:
                log.info("embedding.fill_lost")
            except (psycopg.Error, PlatformError) as error:
                await wait(self._stopping, outage.failed(error))
                continue
            outage.ended()
            if not worked:
                await wait(self._stopping, IDLE)
        await self._release()

    async def _go_over(self) -> bool:
        """Go over a page of each space; apart from `run`, whose frame would keep the last model in memory for good."""
        worked = False
        for target in self._targets():
            worked = await self.step(target) or worked
        return worked

    async def step(self, target: Target) -> bool:
        """Go over one page of one space.

        Returns:
            Whether there was one to go over.

        Raises:
            FillLostError: The space is gone, or another node has taken it.
            psycopg.Error: Postgres does not answer.
            PlatformError: The same, or the model is being freed.
        """
        space = target.space
        async with self._database.transaction() as connection:
            fill = await repository.claim_fill(connection, space.id, self._node, self._lease, self._recheck)
            if fill is None:
                return False
            tenants = await repository.list_tenants(connection, fill["after_tenant"])
        after = START if fill["after_tenant"] is None else (fill["after_type"], fill["after_id"])
        for tenant in tenants:
            if tenant != fill["after_tenant"]:
                after = START
            if await self._fill_page(target, tenant, after):
                return True
        await self._end_pass(target)
        return True

    async def _fill_page(self, target: Target, tenant: str, after: repository.Key) -> bool:
        """Go over a tenant's next items.

        Returns:
            Whether there were any.

        Raises:
            FillLostError: The space is gone.
        """
        space_id = target.space.id
        async with self._database.transaction(tenant) as connection:
            if space_id not in await hold_spaces(connection):
                raise FillLostError
            page = await repository.read_page(connection, after, PAGE)
            if not page:
                return False
            rows = await repository.read_lacking(connection, space_id, after, page[-1], PAGE)
        items = [PendingItem(tenant, **row) for row in rows]
        for start in range(0, len(items), self._slice):
            if self._stopping.is_set():
                return True
            await self._fill_slice(target, tenant, items[start : start + self._slice])
        async with self._database.transaction() as connection:
            await repository.advance_fill(
                connection, space_id, self._node, (tenant, *page[-1]), seen=len(page), lacking=len(items)
            )
        metrics.FILLED.labels(str(space_id), "present").inc(len(page) - len(items))
        return True

    async def _fill_slice(self, target: Target, tenant: str, items: Sequence[PendingItem]) -> None:
        started = time.monotonic()
        space_id = target.space.id
        found = await encode(target.batcher, [item.text for item in items])
        async with self._database.transaction(tenant) as connection:
            if space_id not in await hold_spaces(connection):
                raise FillLostError
            done = await store(connection, space_id, items, range(len(items)), found)
            if not await repository.renew_fill(connection, space_id, self._node, self._lease, done.stored):
                raise FillLostError
        metrics.FILLED.labels(str(space_id), "stored").inc(done.stored)
        metrics.FILLED.labels(str(space_id), "failed").inc(done.failed)
        metrics.FILLED.labels(str(space_id), "outdated").inc(len(items) - done.stored - done.failed)
        if self._rate:
            rest = len(items) / self._rate - (time.monotonic() - started)
            await wait(self._stopping, timedelta(seconds=max(0.0, rest)))

    async def _end_pass(self, target: Target) -> None:
        space_id = target.space.id
        async with self._database.transaction() as connection:
            ended = await repository.end_pass(connection, space_id, self._node)
        if ended is None:
            raise FillLostError
        metrics.SPACE_LACKING.labels(str(space_id)).set(ended["lacking"])
        log.info("embedding.fill_pass_ended", space=space_id, **ended)

    async def _release(self) -> None:
        """Let another node go on at once; without Postgres the lease ends by itself."""
        try:
            async with self._database.transaction() as connection:
                for target in self._targets():
                    await repository.release_fill(connection, target.space.id, self._node)
        except (psycopg.Error, PlatformError):
            log.info("embedding.fill_not_released")
