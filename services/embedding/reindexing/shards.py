"""Work on one range of items, from its last checkpoint on."""

from dataclasses import dataclass

from mlplatform.database import Database
from mlplatform.spaces.repository import hold_spaces
from mlplatform.spaces.space import Space
from services.embedding.batcher import Batcher
from services.embedding.filling.repository import read_lacking
from services.embedding.filling.storing import store
from services.embedding.indexing.encoding import encode
from services.embedding.indexing.pending import PendingItem
from services.embedding.reindexing import repository
from services.embedding.reindexing.errors import ReindexError
from services.embedding.reindexing.repository import Connection


@dataclass(frozen=True, slots=True)
class ShardDone:
    """What was done on a range this time.

    Attributes:
        stored: Vectors.
        failed: Texts that the model cannot take.
    """

    stored: int = 0
    failed: int = 0


class ShardWorker:
    """Embeds ranges of items, a batch and a checkpoint at a time.

    Args:
        database: Where the items are.
        batcher: The queue of the model.
        space: The space to fill.
        batch: Items encoded and stored together.
    """

    def __init__(self, database: Database, batcher: Batcher, space: Space, *, batch: int) -> None:
        self._database = database
        self._batcher = batcher
        self._space = space
        self._batch = batch

    async def work(self, tenant: str, job: str, shard: int) -> ShardDone:
        """Embed what a range still lacks.

        Raises:
            ReindexError: The space is gone.
            psycopg.Error: Postgres does not answer; a further call goes on.
        """
        stored = failed = 0
        async with self._database.transaction(tenant) as connection:
            found = await repository.find_shard(connection, job, shard)
        if found is None:
            raise ReindexError(f"the ranges of {job} are gone: start again")
        entity_type, after, last = found["entity_type"], found["after_id"], found["last_id"]
        while not found["done"]:
            async with self._database.transaction(tenant) as connection:
                await self._hold(connection)
                rows = await read_lacking(
                    connection, self._space.id, (entity_type, after), (entity_type, last), self._batch
                )
                if not rows:
                    await repository.end_shard(connection, job, shard)
                    break
            items = [PendingItem(tenant, **row) for row in rows]
            outcome = await encode(self._batcher, [item.text for item in items])
            after = items[-1].entity_id
            async with self._database.transaction(tenant) as connection:
                await self._hold(connection)
                done = await store(connection, self._space.id, items, range(len(items)), outcome)
                await repository.save_checkpoint(
                    connection, job, shard, after_id=after, stored=done.stored, failed=done.failed
                )
            stored, failed = stored + done.stored, failed + done.failed
        return ShardDone(stored, failed)

    async def _hold(self, connection: Connection) -> None:
        """Keep the space until the transaction ends."""
        if self._space.id not in await hold_spaces(connection):
            raise ReindexError(f"space {self._space.id} is gone: see mlp spaces list --all")
