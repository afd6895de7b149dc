"""What a change of the model goes through, as tests do and await it."""

from mlplatform.database import Database
from mlplatform.events import enqueue
from mlplatform.spaces import changes
from mlplatform.spaces.space import SpaceState
from tests.integration.embedding.rows import request, states, write
from tests.integration.embedding.waiting import eventually

OPERATOR = "operator:test"


async def ready(service) -> None:
    async def is_ready() -> bool:
        return (await service.client.get("/health/ready")).status_code == 200

    await eventually(is_ready)


async def complete(database, space_id: int) -> None:
    async def is_complete() -> bool:
        record = await changes.find_space(database, space_id)
        return record.fill is not None and record.fill.complete_at is not None

    await eventually(is_complete)


async def embedded(database, tenant: str, count: int) -> None:
    async def all_are() -> bool:
        found = await states(database, tenant)
        return len(found) == count and {state for state, _ in found.values()} == {"embedded"}

    await eventually(all_are)


async def index(kernel, tenant: str, *names: str, text: str = "text") -> None:
    """Write items and have them embedded by whoever takes the stream."""

    for name in names:
        item = await write(kernel.database, tenant, name, f"{text} {name}")
        async with kernel.database.transaction(tenant) as connection:
            await enqueue(connection, request(tenant, item))
    kernel.relay.wake()


async def new_space(database) -> int:
    async def exists() -> bool:
        return any(record.state is SpaceState.BUILDING for record in await changes.list_spaces(database))

    await eventually(exists)
    return next(record.id for record in await changes.list_spaces(database) if record.state is SpaceState.BUILDING)


async def items_are_awaited(database: Database) -> bool:
    """Whether somebody waits for the table of items, as a retirement does while they are read."""
    async with database.transaction() as connection:
        cursor = await connection.execute(
            "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
            "WHERE l.relation = 'search_items'::regclass AND NOT l.granted"
        )
        return await cursor.fetchone() is not None
