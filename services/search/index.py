"""Writing, deleting and reading items."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.events import (
    BulkReindexRequest,
    CloudEvent,
    IndexUpdated,
    ItemRef,
    OutboxRelay,
    ReindexRequest,
    enqueue,
)
from mlplatform.events.outage import wait
from mlplatform.idempotency import RepeatableRequest, StoredResponse
from services.search import metrics, repository
from services.search.errors import ItemNotFound
from services.search.items import Item, Key
from services.search.truncation import count_truncated, is_truncated
from services.search.watcher import IndexWatcher
from services.search.writing import SOURCE, count_written, ref, write_items

SINGLE_ITEMS = 16
"""Items in a request up to which they go before those that came by the thousand."""
AUDITED_IDS = 100
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Indexed:
    """What became of an index request.

    Attributes:
        accepted: Items that were stored.
        embedded: Those that can be found by now.
        failed: Those that the model could not take.
        truncated: Those that can be found, and whose vector is of a part of their text.
    """

    accepted: int
    embedded: int
    failed: int = 0
    truncated: int = 0

    def body(self) -> dict[str, int]:
        """Return the answer on the wire."""
        return asdict(self)


class Index:
    """The items of all tenants, each tenant's apart.

    Args:
        database: Where they are.
        relay: Publishes what was written.
        audit: Records deletions.
        watcher: Wakes who waits for embeddings.
        poll_interval: How often a waiter asks the database.
    """

    def __init__(
        self,
        database: Database,
        relay: OutboxRelay,
        audit: AuditLog,
        watcher: IndexWatcher,
        *,
        poll_interval: timedelta,
    ) -> None:
        self._database = database
        self._relay = relay
        self._audit = audit
        self._watcher = watcher
        self._poll_interval = poll_interval

    async def add(
        self, tenant: str, items: Sequence[Item], request: RepeatableRequest, *, wait_for: timedelta | None
    ) -> Indexed | StoredResponse:
        """Store items and ask for their embeddings, in one transaction.

        Args:
            tenant: Whose items.
            items: With different keys.
            request: The caller's request, which may have been answered before.
            wait_for: How long to wait until the items can be found; None returns at once.

        Returns:
            What became of the items; or the answer that the same request got before.
        """
        async with self._database.transaction(tenant) as connection:
            stored = await request.replay(connection)
            if stored is not None:
                return stored
            is_awaited = wait_for is not None or len(items) <= SINGLE_ITEMS
            pending = await write_items(connection, tenant, items, ReindexRequest if is_awaited else BulkReindexRequest)
            waiting = {(ref.entity_type, ref.entity_id) for ref in pending}
            kept = [(*item.key, item.content_sha256) for item in items if item.key not in waiting]
            indexed = Indexed(len(items), len(kept), truncated=await count_truncated(connection, kept) if kept else 0)
            await request.save(connection, ACCEPTED, indexed.body())
        self._relay.wake()
        count_written(len(items), len(pending))
        if wait_for is None or not pending:
            return indexed
        return await self._wait(tenant, indexed, pending, wait_for)

    async def delete(self, principal: Principal, entity_type: str, entity_ids: Sequence[str]) -> int:
        """Delete items with their embeddings, and record who did.

        Returns:
            How many of them existed.
        """
        async with self._database.transaction(principal.tenant) as connection:
            rows = await repository.delete_items(connection, entity_type, entity_ids)
            if not rows:
                return 0
            space = await repository.find_active_space(connection)
            if space is not None:
                gone = IndexUpdated(
                    tenant=principal.tenant, space_id=space["id"], items=[ref(row) for row in rows], deleted=True
                )
                await enqueue(connection, CloudEvent.of(gone, source=SOURCE))
            await self._audit.record(
                action="index.deleted",
                principal=principal,
                resource=f"index/{entity_type}",
                detail={"items": len(rows), "entity_ids": [row["entity_id"] for row in rows[:AUDITED_IDS]]},
                connection=connection,
            )
        self._relay.wake()
        metrics.DELETED.inc(len(rows))
        return len(rows)

    async def find(self, tenant: str, key: Key) -> dict[str, Any]:
        """Return an item with its state.

        Raises:
            ItemNotFound: The tenant has none of this key.
        """
        async with self._database.transaction(tenant) as connection:
            row = await repository.find_item(connection, key, await is_truncated(connection))
        if row is None:
            raise ItemNotFound("There is no such item in the index.")
        return row

    async def _wait(self, tenant: str, indexed: Indexed, pending: Sequence[ItemRef], wait_for: timedelta) -> Indexed:
        """Ask the database, after each hint and at intervals, until no item is pending or the time is up."""
        versions = [(ref.entity_type, ref.entity_id, ref.content_sha256) for ref in pending]
        started = time.monotonic()
        with self._watcher.watch(tenant) as updated:
            while True:
                updated.clear()
                async with self._database.transaction(tenant) as connection:
                    states = await repository.count_states(connection, versions)
                    left = wait_for - timedelta(seconds=time.monotonic() - started)
                    ended = not states.get("pending") or left <= timedelta(0)
                    truncated = await count_truncated(connection, versions) if ended else 0
                if ended:
                    break
                await wait(updated, min(left, self._poll_interval))
        metrics.WAIT_SECONDS.observe(time.monotonic() - started)
        return Indexed(
            indexed.accepted,
            indexed.embedded + states.get("embedded", 0),
            states.get("failed", 0),
            indexed.truncated + truncated,
        )
