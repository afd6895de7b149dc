"""Building the index of a space, for the first time or anew, while the space is read and written.

Only the owner of the table can, in a session outside any transaction. What a build that was broken off has left is
found and dropped by the next one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.indexes import repository
from mlplatform.spaces.indexes.sizing import Limits, build_memory, graph_bytes
from mlplatform.spaces.probes import Progress
from mlplatform.spaces.space import Space

LOOK_SECONDS = 0.5
CLEANING = timedelta(seconds=5)
"""For dropping what is left of a build that was broken off: it waits for transactions that are under way."""
APPLICATION = "mlp-index"


@dataclass(slots=True)
class Built:
    """What a build did.

    Attributes:
        vectors: How many there were when it began.
        anew: Whether there was a valid index before.
        needed: Bytes that the graph takes, as estimated.
        memory: Bytes that it was given.
        workers: Processes that helped.
        notices: What Postgres had to say.
    """

    vectors: int
    anew: bool
    needed: int
    memory: int
    workers: int
    notices: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return what programs read."""
        return asdict(self)


async def build_index(
    database: Database,
    owner_url: str,
    space: Space,
    limits: Limits,
    *,
    actor: str,
    progress: Progress | None = None,
) -> Built:
    """Build the index of a space, or build it anew when there is a valid one, which is searched meanwhile.

    Args:
        database: As the owner, to look how far it is.
        owner_url: Where the owner connects to.
        space: The space.
        limits: What it may take.
        actor: Who asked for it.
        progress: Is told the phase and its blocks.

    Raises:
        SpaceNotReadyError: Another session builds it.
        psycopg.Error: Postgres refuses; nothing invalid is left unless it has gone away.
    """
    async with _session(owner_url) as connection:
        if not await repository.claim_index(connection, space.id):
            raise SpaceNotReadyError(
                f"the index of space {space.id} is being built by another session: see mlp spaces list"
            )
        await repository.drop_invalid_indexes(connection, space.id)
        former = await repository.find_index(connection, space.id)
        vectors = await repository.count_all_vectors(connection, space.id)
        memory = build_memory(vectors, space.dimension, limits.memory)
        needed = graph_bytes(vectors, space.dimension)
        built = Built(vectors, former is not None, needed, memory, limits.workers)
        connection.add_notice_handler(lambda said: built.notices.append(said.message_primary or ""))
        look = asyncio.create_task(_look(database, space.id, progress))
        try:
            await _build(connection, space.id, former, built)
        except (psycopg.Error, asyncio.CancelledError):
            with suppress(psycopg.Error):  # what cannot be dropped now is dropped by the next build
                await repository.set_limit(connection, CLEANING)
                await repository.drop_invalid_indexes(connection, space.id)
            raise
        finally:
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
        await repository.analyze(connection, space.id)
    async with database.transaction() as audited:
        await AuditLog(database).record(
            action="space.indexed",
            resource=f"space/{space.id}",
            actor=actor,
            detail={"vectors": vectors, "anew": built.anew, "memory": memory, "workers": built.workers},
            connection=audited,
        )
    return built


async def _build(connection: AsyncConnection[DictRow], space_id: int, former: str | None, built: Built) -> None:
    try:
        await repository.build_index(connection, space_id, former, memory=built.memory, workers=built.workers)
    except psycopg.errors.DiskFull:
        if not built.workers:
            raise
        # Workers share their memory, of which a container may have little; one process alone uses its own.
        await repository.drop_invalid_indexes(connection, space_id)
        built.workers = 0
        await repository.build_index(connection, space_id, former, memory=built.memory, workers=0)


async def _look(database: Database, space_id: int, progress: Progress | None) -> None:
    while progress is not None:
        async with database.transaction() as connection:
            build = await repository.find_build(connection, space_id)
        if build is not None:
            progress(f"index: {build['phase']}", build["done"], build["total"])
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def _session(owner_url: str) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Yield a session that no limit of time ends, since a build takes as long as it takes."""
    connection = await psycopg.AsyncConnection.connect(
        owner_url, autocommit=True, row_factory=dict_row, application_name=APPLICATION, connect_timeout=3
    )
    try:
        await repository.set_limit(connection, None)
        yield connection
    finally:
        await connection.close()
