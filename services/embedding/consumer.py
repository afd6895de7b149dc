"""From the index streams to vectors in Postgres."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from mlplatform.database import Database
from mlplatform.events import CloudEvent, IndexUpdated, ItemRef, OutboxRelay, enqueue
from services.embedding import metrics, repository
from services.embedding.batcher import Batcher
from services.embedding.indexing.encoding import Outcome, encode
from services.embedding.indexing.halfvec import encode_halfvecs
from services.embedding.indexing.pending import PendingItem, named_by, read_pending
from services.embedding.spaces import Space

SOURCE = "embedding"
SLICE = 256
"""Items encoded and committed together. More would pad a little less, and lose more work when the node dies."""


@dataclass(frozen=True, slots=True)
class Indexer:
    """Encodes the items that events name, and stores the vectors.

    Delivered twice, an event does nothing the second time: only pending items are read, and a vector is stored only
    while the item still has the text that it was made of and was not deleted and made anew since.

    Attributes:
        database: Where items and vectors are.
        relay: Publishes what was updated.
        batcher: The encoder's queue.
        space: The space to fill.
    """

    database: Database
    relay: OutboxRelay
    batcher: Batcher
    space: Space

    async def handle(self, events: Sequence[CloudEvent]) -> None:
        """Embed the items of some events, a slice at a time, across requests and tenants.

        While one slice is being stored, the next one is being encoded.

        Raises:
            psycopg.OperationalError: Postgres does not answer; the events are to be delivered again.
            DependencyUnavailable: The same, when no connection can be had.
        """
        keys = named_by(events)
        storing: asyncio.Task[None] | None = None
        try:
            for start in range(0, len(keys), SLICE):
                wanted = keys[start : start + SLICE]
                items = await read_pending(self.database, wanted)
                metrics.ITEMS.labels("skipped").inc(len(wanted) - len(items))
                if not items:
                    continue
                outcome = await encode(self.batcher, [item.text for item in items])
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._store(items, outcome))
            if storing is not None:
                await storing
        finally:
            if storing is not None:
                await asyncio.gather(storing, return_exceptions=True)

    async def _store(self, items: Sequence[PendingItem], outcome: Outcome) -> None:
        tenants: dict[str, list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            tenants[item.tenant].append(position)
        for tenant, positions in tenants.items():
            await self._store_tenant(tenant, positions, items, outcome)
        self.relay.wake()

    async def _store_tenant(
        self, tenant: str, positions: Sequence[int], items: Sequence[PendingItem], outcome: Outcome
    ) -> None:
        good = [position for position in positions if position not in outcome.reasons]
        failed = [position for position in positions if position in outcome.reasons]
        vectors = encode_halfvecs(outcome.vectors[good])
        async with self.database.transaction(tenant) as connection:
            stored = []
            if good:
                rows = [(*_version(items[at]), vector) for at, vector in zip(good, vectors, strict=True)]
                stored = await repository.save_embeddings(connection, self.space.id, rows)
            if failed:
                reasons = [(*_version(items[at]), outcome.reasons[at]) for at in failed]
                await repository.mark_failed(connection, self.space.id, reasons)
            if stored:
                refs = [ItemRef(**row) for row in stored]
                update = IndexUpdated(tenant=tenant, space_id=self.space.id, items=refs, deleted=False)
                await enqueue(connection, CloudEvent.of(update, source=SOURCE))
        metrics.ITEMS.labels("embedded").inc(len(stored))
        metrics.ITEMS.labels("outdated").inc(len(good) - len(stored))
        metrics.ITEMS.labels("failed").inc(len(failed))


def _version(item: PendingItem) -> repository.Version:
    return item.entity_type, item.entity_id, item.content_sha256, item.generation
