"""From the index streams to vectors in Postgres."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg.rows import DictRow

from mlplatform.database import Database
from mlplatform.events import CloudEvent, IndexUpdated, ItemRef, OutboxRelay, enqueue
from mlplatform.spaces.repository import hold_spaces
from mlplatform.spaces.space import SpaceState
from services.embedding import metrics, repository
from services.embedding.batcher import Batcher
from services.embedding.errors import ModelNotLoaded
from services.embedding.filling.storing import store
from services.embedding.indexing.encoding import Outcome, encode
from services.embedding.indexing.halfvec import encode_halfvecs
from services.embedding.indexing.pending import PendingItem, named_by, read_pending
from services.embedding.served_model import Target
from services.embedding.spaces import Space

SOURCE = "embedding"
SLICE = 256
"""Items encoded and committed together. More would pad a little less, and lose more work when the node dies."""


@dataclass(frozen=True, slots=True)
class Indexer:
    """Encodes the items that events name, and stores the vectors.

    Delivered twice, an event does nothing the second time: only pending items are read, and a vector is stored only
    while the item still has the text that it was made of and was not deleted and made anew since.

    While the index changes models, an item gets a vector in each space, in one transaction. It counts as embedded once
    it has one in the space that is searched at that moment, which is asked in that transaction.

    Attributes:
        database: Where items and vectors are.
        relay: Publishes what was updated.
        batcher: The encoder's queue.
        space: The space to fill.
        others: More spaces to fill, with the queues of their models.
    """

    database: Database
    relay: OutboxRelay
    batcher: Batcher
    space: Space
    others: Sequence[Target] = ()

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
                outcomes = await self._encode([item.text for item in items])
                if storing is not None:
                    await storing
                storing = asyncio.create_task(self._store(items, outcomes))
            if storing is not None:
                await storing
        finally:
            if storing is not None:
                await asyncio.gather(storing, return_exceptions=True)

    async def _encode(self, texts: Sequence[str]) -> dict[int, Outcome]:
        """Encode texts for each space; one whose model is being freed is passed over.

        Raises:
            ModelNotLoaded: The service is stopping.
        """
        targets = [Target(self.space, self.batcher), *self.others]
        found = await asyncio.gather(*(encode(target.batcher, texts) for target in targets), return_exceptions=True)
        outcomes = {}
        for position, (target, outcome) in enumerate(zip(targets, found, strict=True)):
            if not isinstance(outcome, BaseException):
                outcomes[target.space.id] = outcome
            elif position == 0 or not isinstance(outcome, ModelNotLoaded):
                raise outcome
        return outcomes

    async def _store(self, items: Sequence[PendingItem], outcomes: Mapping[int, Outcome]) -> None:
        tenants: dict[str, list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            tenants[item.tenant].append(position)
        for tenant, positions in tenants.items():
            await self._store_tenant(tenant, positions, items, outcomes)
        self.relay.wake()

    async def _store_tenant(
        self, tenant: str, positions: Sequence[int], items: Sequence[PendingItem], outcomes: Mapping[int, Outcome]
    ) -> None:
        async with self.database.transaction(tenant) as connection:
            spaces = await hold_spaces(connection)
            counts: list[Counts] = []
            for space_id, outcome in outcomes.items():
                if spaces.get(space_id) == SpaceState.ACTIVE:
                    counts.append(await _store_active(connection, space_id, positions, items, outcome))
                elif space_id in spaces:
                    await store(connection, space_id, items, positions, outcome)
            for found in counts:
                if found.stored:
                    refs = [_ref(row) for row in found.stored]
                    update = IndexUpdated(tenant=tenant, space_id=found.space_id, items=refs, deleted=False)
                    await enqueue(connection, CloudEvent.of(update, source=SOURCE))
        if not counts:  # they wait on for a node that has the model of the space that is searched now
            metrics.ITEMS.labels("deferred").inc(len(positions))
        for found in counts:
            metrics.ITEMS.labels("embedded").inc(len(found.stored))
            metrics.TRUNCATED_ITEMS.inc(sum(row["truncated"] for row in found.stored))
            metrics.ITEMS.labels("outdated").inc(found.outdated)
            metrics.ITEMS.labels("failed").inc(found.failed)


class Counts(NamedTuple):
    """What became of the items of a tenant.

    Attributes:
        space_id: The space that is searched.
        stored: entity_type, entity_id, content_sha256 and truncated of those that can be found now.
        outdated: How many have changed since they were read.
        failed: How many the model cannot take.
    """

    space_id: int
    stored: Sequence[DictRow]
    outdated: int
    failed: int


async def _store_active(
    connection: repository.Connection,
    space_id: int,
    positions: Sequence[int],
    items: Sequence[PendingItem],
    outcome: Outcome,
) -> Counts:
    """Store in the space that is searched, and say in the items what became of them."""
    good = [position for position in positions if position not in outcome.reasons]
    failed = [position for position in positions if position in outcome.reasons]
    stored: list[DictRow] = []
    if good:
        vectors = encode_halfvecs(outcome.vectors[good])
        rows = [
            (*_version(items[at]), vector, at in outcome.truncated) for at, vector in zip(good, vectors, strict=True)
        ]
        stored = await repository.save_embeddings(connection, space_id, rows)
    if failed:
        reasons = [(*_version(items[at]), outcome.reasons[at]) for at in failed]
        await repository.mark_failed(connection, space_id, reasons)
    return Counts(space_id, stored, len(good) - len(stored), len(failed))


def _version(item: PendingItem) -> repository.Version:
    return item.entity_type, item.entity_id, item.content_sha256, item.generation


def _ref(row: DictRow) -> ItemRef:
    return ItemRef(entity_type=row["entity_type"], entity_id=row["entity_id"], content_sha256=row["content_sha256"])
