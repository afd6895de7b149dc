"""Items that wait for their vector."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlplatform.database import Database
from mlplatform.events import BulkReindexRequest, CloudEvent, ReindexRequest
from services.embedding import repository


class ItemKey(NamedTuple):
    """What names an item among those of all tenants."""

    tenant: str
    entity_type: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class PendingItem:
    """An item as it was when its text was read.

    Attributes:
        tenant: Its owner.
        entity_type: Its kind.
        entity_id: Its id within the kind.
        text: What to embed.
        content_sha256: Digest of the text.
        generation: How often the item had been written.
    """

    tenant: str
    entity_type: str
    entity_id: str
    text: str
    content_sha256: str
    generation: int


def named_by(events: Iterable[CloudEvent]) -> list[ItemKey]:
    """Return the items that events name, each once, in the order of the events.

    Raises:
        ValueError: An event is of another type.
    """
    keys: dict[ItemKey, None] = {}
    for event in events:
        kind = BulkReindexRequest if event.type == BulkReindexRequest.event_type else ReindexRequest
        request = kind.from_event(event)
        keys.update({ItemKey(request.tenant, item.entity_type, item.entity_id): None for item in request.items})
    return list(keys)


async def read_pending(database: Database, keys: Sequence[ItemKey]) -> list[PendingItem]:
    """Return those of the items that still wait; the others were embedded, deleted or given up meanwhile.

    Raises:
        psycopg.OperationalError: Postgres does not answer.
        DependencyUnavailable: No connection can be had.
    """
    wanted: dict[str, list[repository.Key]] = defaultdict(list)
    for tenant, entity_type, entity_id in keys:
        wanted[tenant].append((entity_type, entity_id))
    items: list[PendingItem] = []
    for tenant, named in wanted.items():
        async with database.transaction(tenant) as connection:
            rows = await repository.read_pending(connection, named)
        items += [PendingItem(tenant, **row) for row in rows]
    return items
