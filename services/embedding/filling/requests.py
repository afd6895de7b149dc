"""Filling a space with the items that events name, by all nodes at once."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import structlog

from mlplatform.database import Database
from mlplatform.events import CloudEvent, FillRequest
from mlplatform.spaces.repository import hold_spaces
from services.embedding import metrics
from services.embedding.filling import repository
from services.embedding.filling.storing import store
from services.embedding.indexing.encoding import encode
from services.embedding.indexing.pending import PendingItem
from services.embedding.served_model import Target

SLICE = 256
"""Items encoded and stored together."""

log = structlog.get_logger(__name__)


class RequestFiller:
    """Embeds the items that events name, those of them that lack a vector.

    An event of a space that this node has no model for is passed over: whoever sent it looks whether items still lack
    their vectors, and so does the filling of the space.

    Args:
        database: Where the items are.
        targets: Returns the spaces that this node can embed for.
    """

    def __init__(self, database: Database, targets: Callable[[], Sequence[Target]]) -> None:
        self._database = database
        self._targets = targets

    async def handle(self, events: Sequence[CloudEvent]) -> None:
        """Embed the items of some events.

        Raises:
            psycopg.OperationalError: Postgres does not answer; the events are to be delivered again.
            DependencyUnavailable: The same, when no connection can be had, or no model is in memory yet.
        """
        named: dict[tuple[int, str], dict[repository.Key, None]] = defaultdict(dict)
        for event in events:
            request = FillRequest.from_event(event)
            named[request.space_id, request.tenant].update(
                {(item.entity_type, item.entity_id): None for item in request.items}
            )
        targets = {target.space.id: target for target in self._targets()}
        for (space_id, tenant), keys in named.items():
            if space_id not in targets:
                metrics.FILLED.labels(str(space_id), "not_held").inc(len(keys))
                log.info("embedding.fill_request_passed_over", space=space_id, items=len(keys))
                continue
            await self._fill(targets[space_id], tenant, list(keys))

    async def _fill(self, target: Target, tenant: str, keys: Sequence[repository.Key]) -> None:
        space_id = target.space.id
        async with self._database.transaction(tenant) as connection:
            if space_id not in await hold_spaces(connection):
                return
            rows = await repository.read_named(connection, space_id, keys)
        items = [PendingItem(tenant, **row) for row in rows]
        for start in range(0, len(items), SLICE):
            part = items[start : start + SLICE]
            found = await encode(target.batcher, [item.text for item in part])
            async with self._database.transaction(tenant) as connection:
                if space_id not in await hold_spaces(connection):
                    return
                done = await store(connection, space_id, part, range(len(part)), found)
            metrics.FILLED.labels(str(space_id), "stored").inc(done.stored)
            metrics.FILLED.labels(str(space_id), "failed").inc(done.failed)
