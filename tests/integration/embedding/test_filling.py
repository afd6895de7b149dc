"""Vectors that are written without a write of their items."""

import pytest

from mlplatform.events import CloudEvent, FillRequest, ItemRef
from mlplatform.spaces import changes, repository
from services.embedding.filling.requests import RequestFiller
from services.embedding.served_model import Target
from services.embedding.spaces import Space
from tests.integration.embedding.rows import request, vectors, write


async def generation(kernel, tenant: str = "acme") -> int:
    async with kernel.database.transaction(tenant) as connection:
        cursor = await connection.execute("SELECT coalesce(sum(generation), 0) AS now FROM search_generations")
        (row,) = await cursor.fetchall()
    return int(row["now"])


async def fill(kernel, indexer, space: Space, item: ItemRef) -> None:
    """Handle one request to fill a space."""
    wanted = FillRequest(tenant="acme", space_id=space.id, items=[item])
    filler = RequestFiller(kernel.database, lambda: [Target(space, indexer.batcher)])
    await filler.handle([CloudEvent.of(wanted, source="test")])


class TestGeneration:
    @pytest.fixture
    async def item(self, kernel, indexer) -> ItemRef:
        item = await write(kernel.database, "acme", "1", "text")
        await indexer.handle([request("acme", item)])
        return item

    async def test_a_vector_into_the_searched_space_makes_rankings_old(self, kernel, indexer, space, item):
        async with kernel.database.transaction("acme") as connection:
            await connection.execute(f"DELETE FROM embeddings_{space.id}")  # noqa: S608 - a number
        before = await generation(kernel)

        await fill(kernel, indexer, space, item)

        assert set(await vectors(kernel.database, "acme", space.id)) == {"1"}
        assert await generation(kernel) > before
        assert await generation(kernel, "zeta") == 0

    async def test_what_is_there_already_leaves_them(self, kernel, indexer, space, item):
        before = await generation(kernel)

        await fill(kernel, indexer, space, item)

        assert await generation(kernel) == before

    async def test_a_vector_into_another_space_leaves_them(self, kernel, indexer, space, item):
        record = await changes.plan(kernel.database, "text-embedder", "2", "operator:test")
        async with kernel.database.transaction() as connection:
            await repository.define_space(connection, record.id, "b" * 64, space.dimension)
        building = Space(record.id, "text-embedder", "2", "b" * 64, space.dimension)
        before = await generation(kernel)

        await fill(kernel, indexer, building, item)

        assert set(await vectors(kernel.database, "acme", building.id)) == {"1"}
        assert await generation(kernel) == before
