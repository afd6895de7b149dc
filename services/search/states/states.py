"""Which items wait, which failed and why, and another try for those."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlplatform.database import Database
from mlplatform.events import BulkReindexRequest, OutboxRelay, enqueue_all
from services.search.items import Key
from services.search.states import repository
from services.search.states.cursor import read_cursor, write_cursor
from services.search.truncation import is_truncated
from services.search.writing import ref, requests

RETRIED = 10_000
"""Most items that one call takes."""


@dataclass(frozen=True, slots=True)
class ItemStates:
    """The states of the items of all tenants, each tenant's apart.

    Attributes:
        database: Where the items are.
        relay: Publishes what is to be embedded again.
    """

    database: Database
    relay: OutboxRelay

    async def page(
        self, tenant: str, *, state: str | None, entity_type: str | None, limit: int, cursor: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return items in the order of their keys, and the cursor of the next page when there is one.

        Raises:
            InvalidCursor: No page gave the cursor.
        """
        after = read_cursor(cursor)
        async with self.database.transaction(tenant) as connection:
            rows = await repository.list_items(
                connection,
                state=state,
                entity_type=entity_type,
                after=after,
                limit=limit + 1,
                is_truncated=await is_truncated(connection),
            )
        shown = rows[:limit]
        return list(shown), write_cursor(_key(shown[-1])) if len(rows) > limit else None

    async def count(self, tenant: str) -> dict[str, int]:
        """Count the items that wait and those that failed."""
        async with self.database.transaction(tenant) as connection:
            return await repository.count_unfinished(connection)

    async def retry(self, tenant: str, *, entity_type: str | None, entity_ids: Sequence[str] | None) -> int:
        """Have failed items embedded again.

        Args:
            tenant: Whose items.
            entity_type: Only items of this kind.
            entity_ids: Only these items.

        Returns:
            How many are waiting again; with `RETRIED` of them there may be more to retry.
        """
        async with self.database.transaction(tenant) as connection:
            rows = await repository.retry_failed(
                connection, entity_type=entity_type, entity_ids=entity_ids, limit=RETRIED
            )
            await enqueue_all(connection, requests(tenant, [ref(row) for row in rows], BulkReindexRequest))
        self.relay.wake()
        return len(rows)


def _key(row: dict[str, Any]) -> Key:
    return row["entity_type"], row["entity_id"]
