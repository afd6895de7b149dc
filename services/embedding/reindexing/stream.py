"""Reindexing by the embedding nodes: what lacks a vector is named in events, a bounded number of items at a time."""

import asyncio
import time
from collections.abc import Callable, Sequence

from mlplatform.database import Database
from mlplatform.events import CloudEvent, FillRequest, ItemRef, enqueue_all
from mlplatform.spaces.probes import PATIENCE
from mlplatform.spaces.repository import set_patience
from mlplatform.spaces.space import Space
from services.embedding.filling.repository import Key
from services.embedding.reindexing import repository
from services.embedding.reindexing.errors import StalledError

SOURCE = "reindex"
ITEMS_PER_EVENT = 64
POLL_SECONDS = 0.25
START = ("", "")

Progress = Callable[[int], None]
"""Is told how many more items are done."""


class StreamReindex:
    """Sends the items of one space to the nodes, and waits for their vectors.

    Nothing is remembered but the vectors themselves: a further run names the items that still lack theirs.

    Args:
        database: Where the items are.
        space: The space to fill.
        entity_type: Kind of the items; None for all.
        batch: Items named in one go.
        backlog: Items under way at most.
        patience: Seconds without progress until it gives up.
        progress: Is told what is done.
    """

    def __init__(
        self,
        database: Database,
        space: Space,
        *,
        entity_type: str | None,
        batch: int,
        backlog: int,
        patience: float,
        progress: Progress,
    ) -> None:
        self._database = database
        self._space = space
        self._entity_type = entity_type
        self._batch = min(batch, backlog)
        self._backlog = backlog
        self._patience = patience
        self._progress = progress

    async def run(self, tenants: Sequence[str]) -> None:
        """Send the items of some tenants, one tenant after the other.

        Raises:
            StalledError: The nodes do not embed them.
        """
        for tenant in tenants:
            await self._run_tenant(tenant)

    async def _run_tenant(self, tenant: str) -> None:
        under_way: set[Key] = set()
        after: Key = START
        while True:
            async with self._database.transaction(tenant) as connection:
                await set_patience(connection, PATIENCE)
                rows = await repository.next_lacking(connection, self._space.id, self._entity_type, after, self._batch)
                await enqueue_all(connection, self._events(tenant, [ItemRef(**row) for row in rows]))
            if not rows:
                break
            after = (rows[-1]["entity_type"], rows[-1]["entity_id"])
            under_way.update((row["entity_type"], row["entity_id"]) for row in rows)
            under_way = await self._wait(tenant, under_way, self._backlog - self._batch)
        await self._wait(tenant, under_way, 0)

    def _events(self, tenant: str, items: Sequence[ItemRef]) -> list[CloudEvent]:
        return [
            CloudEvent.of(
                FillRequest(tenant=tenant, space_id=self._space.id, items=list(items[start : start + ITEMS_PER_EVENT])),
                source=SOURCE,
            )
            for start in range(0, len(items), ITEMS_PER_EVENT)
        ]

    async def _wait(self, tenant: str, under_way: set[Key], most: int) -> set[Key]:
        """Wait until no more than so many items lack their vectors.

        Returns:
            Those.
        """
        moved = time.monotonic()
        while len(under_way) > most:
            async with self._database.transaction(tenant) as connection:
                left = await repository.still_lacking(connection, self._space.id, list(under_way))
            if len(left) < len(under_way):
                self._progress(len(under_way) - len(left))
                moved = time.monotonic()
            elif time.monotonic() - moved > self._patience:
                raise StalledError(len(left), self._space.id, self._patience)
            under_way = left
            if len(under_way) > most:
                await asyncio.sleep(POLL_SECONDS)
        return under_way
