"""Items into the database with what has to follow: one transaction, or nothing."""

from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from mlplatform.events import CloudEvent, ItemRef, ReindexRequest, enqueue_all
from services.search import metrics, repository
from services.search.items import Item

SOURCE = "search"
ITEMS_PER_EVENT = 64


async def write_items(
    connection: AsyncConnection[DictRow], tenant: str, items: Sequence[Item], event: type[ReindexRequest]
) -> list[ItemRef]:
    """Insert or replace items and ask for their embeddings, in the caller's transaction.

    Args:
        connection: A transaction of the tenant.
        tenant: Whose items.
        items: With different keys.
        event: How to ask: for a few that somebody waits for, or for many.

    Returns:
        Those that wait for an embedding now; the others have the text that they had.
    """
    await repository.add_tenant(connection)
    rows = await repository.save_items(connection, items)
    pending = [ref(row) for row in rows if row["state"] == "pending"]
    await enqueue_all(connection, requests(tenant, pending, event))
    return pending


def requests(tenant: str, items: Sequence[ItemRef], event: type[ReindexRequest]) -> list[CloudEvent]:
    """Return the events that ask for embeddings of items, some items each."""
    return [
        CloudEvent.of(event(tenant=tenant, items=list(items[start : start + ITEMS_PER_EVENT])), source=SOURCE)
        for start in range(0, len(items), ITEMS_PER_EVENT)
    ]


def ref(row: DictRow) -> ItemRef:
    """Return how events name the item of a row."""
    return ItemRef(entity_type=row["entity_type"], entity_id=row["entity_id"], content_sha256=row["content_sha256"])


def count_written(items: int, pending: int) -> None:
    """Count items that were committed, and those of them that have a new text."""
    metrics.INDEXED.labels("new").inc(pending)
    metrics.INDEXED.labels("unchanged").inc(items - pending)
