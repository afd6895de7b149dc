"""From the index stream to vectors in Postgres."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mlplatform.database import Database
from mlplatform.events import CloudEvent, IndexUpdated, ItemRef, OutboxRelay, ReindexRequest, enqueue
from services.embedding import metrics, repository
from services.embedding.batcher import Batcher, Encoded
from services.embedding.encoding.backend import Vectors
from services.embedding.errors import EncodingFailedError
from services.embedding.spaces import Space

SOURCE = "embedding"
SLICE = 256
"""Items encoded and committed together. More would pad a little less, and lose more work when the node dies."""


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item that waits for its vector."""

    tenant: str
    entity_type: str
    entity_id: str
    text: str
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Indexer:
    """Encodes the items that events name, and stores the vectors.

    Delivered twice, an event does nothing the second time: only pending items are read, and a vector is stored only
    while the item still has the text that it was made of.

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

        Raises:
            psycopg.OperationalError: Postgres does not answer; the events are to be delivered again.
            DependencyUnavailable: The same, when no connection can be had.
        """
        items = await self._read([ReindexRequest.from_event(event) for event in events])
        for start in range(0, len(items), SLICE):
            await self._embed(items[start : start + SLICE])

    async def _read(self, requests: Sequence[ReindexRequest]) -> list[PendingItem]:
        wanted: dict[str, dict[repository.Key, None]] = defaultdict(dict)
        for request in requests:
            wanted[request.tenant].update({(item.entity_type, item.entity_id): None for item in request.items})
        items: list[PendingItem] = []
        for tenant, keys in wanted.items():
            async with self.database.transaction(tenant) as connection:
                rows = await repository.read_pending(connection, list(keys))
            metrics.ITEMS.labels("skipped").inc(len(keys) - len(rows))
            items += [PendingItem(tenant, **row) for row in rows]
        return items

    async def _embed(self, items: Sequence[PendingItem]) -> None:
        vectors, reasons = await self._encode(items)
        tenants: dict[str, list[int]] = defaultdict(list)
        for position, item in enumerate(items):
            tenants[item.tenant].append(position)
        for tenant, positions in tenants.items():
            good = [position for position in positions if position not in reasons]
            await self._store(
                tenant,
                [(items[position], vectors[position]) for position in good],
                [(items[position], reasons[position]) for position in positions if position in reasons],
            )
        self.relay.wake()

    async def _encode(self, items: Sequence[PendingItem]) -> tuple[Vectors, dict[int, str]]:
        """Encode together; when that fails, one by one, so that an item fails alone.

        Returns:
            A vector per item, and the reason for each position that has none.
        """
        texts = [item.text for item in items]
        try:
            vectors = (await self.batcher.encode(texts, refuse_when_full=False)).vectors
        except EncodingFailedError:
            return await self._encode_singly(texts)
        return vectors, dict(_not_finite(vectors))

    async def _encode_singly(self, texts: Sequence[str]) -> tuple[Vectors, dict[int, str]]:
        vectors = np.zeros((len(texts), self.space.dimension), dtype=np.float32)
        reasons: dict[int, str] = {}
        for position, text in enumerate(texts):
            try:
                encoded: Encoded = await self.batcher.encode([text], refuse_when_full=False)
            except EncodingFailedError as error:
                reasons[position] = error.detail
            else:
                vectors[position] = encoded.vectors[0]
        return vectors, reasons | dict(_not_finite(vectors))

    async def _store(
        self,
        tenant: str,
        vectors: Sequence[tuple[PendingItem, Vectors]],
        failures: Sequence[tuple[PendingItem, str]],
    ) -> None:
        rows = [(item.entity_type, item.entity_id, item.content_sha256, _literal(vector)) for item, vector in vectors]
        async with self.database.transaction(tenant) as connection:
            stored = await repository.save_embeddings(connection, self.space.id, rows) if rows else []
            if failures:
                await repository.mark_failed(
                    connection,
                    [(item.entity_type, item.entity_id, item.content_sha256, reason) for item, reason in failures],
                )
            if stored:
                refs = [ItemRef(**row) for row in stored]
                update = IndexUpdated(tenant=tenant, space_id=self.space.id, items=refs, deleted=False)
                await enqueue(connection, CloudEvent.of(update, source=SOURCE))
        metrics.ITEMS.labels("embedded").inc(len(stored))
        metrics.ITEMS.labels("outdated").inc(len(rows) - len(stored))
        metrics.ITEMS.labels("failed").inc(len(failures))


def _not_finite(vectors: Vectors) -> Iterator[tuple[int, str]]:
    for position in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        yield int(position), "The model returned a vector with values that are no numbers."


def _literal(vector: Vectors) -> str:
    """Write a vector as pgvector reads it; halfvec keeps about three digits, so five are plenty."""
    return "[" + ",".join(f"{value:.5g}" for value in vector.tolist()) + "]"
