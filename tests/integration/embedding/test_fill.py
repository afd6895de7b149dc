"""The filling of a space beside the one that is searched."""

from datetime import timedelta

import pytest

from mlplatform.spaces import changes
from mlplatform.spaces.errors import SpaceNotReadyError
from mlplatform.spaces.probes import probe_coverage
from services.embedding.filling import filler as filling
from services.embedding.filling.filler import Filler, FillLostError
from services.embedding.indexing.pending import PendingItem
from services.embedding.served_model import Target
from tests.integration.embedding.changing import (
    OPERATOR,
)
from tests.integration.embedding.rows import request, states, vectors, write


class TestFill:
    def filler(self, kernel, target: Target, node: str = "one", **settings) -> Filler:

        options = {"rate": 0, "recheck": timedelta(0)} | settings
        return Filler(kernel.database, lambda: [target], node, **options)

    async def test_goes_on_where_a_node_that_died_was(self, kernel, indexer, building, monkeypatch):

        monkeypatch.setattr(filling, "PAGE", 2)
        for tenant in ("acme", "zeta"):
            await indexer.handle(
                [request(tenant, *[await write(kernel.database, tenant, name, f"text {name}") for name in "abc"])]
            )
        target = Target(building, indexer.batcher)
        dead = self.filler(kernel, target, "dead", lease=timedelta(0))
        assert await dead.step(target)
        before = await changes.find_space(kernel.database, building.id)

        other = self.filler(kernel, target, "other")
        encoded = len(indexer.batcher._encoder.forwarded)
        while (await changes.find_space(kernel.database, building.id)).fill.complete_at is None:
            assert await other.step(target)

        assert (before.fill.seen, before.fill.stored) == (2, 2)
        assert (await changes.find_space(kernel.database, building.id)).fill.stored == 6
        assert sum(indexer.batcher._encoder.forwarded[encoded:]) == 4  # nothing is embedded twice
        for tenant in ("acme", "zeta"):
            assert set(await vectors(kernel.database, tenant, building.id)) == {"a", "b", "c"}

    async def test_of_one_space_is_one_nodes_at_a_time(self, kernel, indexer, building):
        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        assert await self.filler(kernel, target, "one").step(target)

        assert not await self.filler(kernel, target, "two").step(target)

    async def test_a_node_that_lost_it_stores_no_more(self, kernel, indexer, building):

        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        slow = self.filler(kernel, target, "slow", lease=timedelta(0))
        async with kernel.database.transaction() as connection:
            await connection.execute("UPDATE embedding_fills SET holder = 'other', held_until = now() + '1 hour'")

        assert not await slow.step(target)
        with pytest.raises(FillLostError):
            await slow._fill_slice(target, "acme", await _items(kernel, "acme"))
        assert await vectors(kernel.database, "acme", building.id) == {}

    async def test_of_a_space_that_is_retired_meanwhile_is_lost(self, kernel, owner_database, indexer, building):
        target = Target(building, indexer.batcher)
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        await changes.retire(owner_database, building.id, OPERATOR, force=False)

        with pytest.raises(FillLostError):
            await self.filler(kernel, target)._fill_page(target, "acme", filling.START)

    async def test_of_a_complete_space_begins_anew_when_something_is_found_lacking(self, kernel, indexer, building):
        target = Target(building, indexer.batcher)
        filler = self.filler(kernel, target, recheck=timedelta(hours=1))
        await indexer.handle([request("acme", await write(kernel.database, "acme", "1", "text"))])
        while await filler.step(target):
            pass
        await indexer.handle([request("acme", await write(kernel.database, "acme", "2", "text"))])
        assert not await filler.step(target)  # a node without the new model: nobody knows yet

        assert not (await probe_coverage(kernel.database, building, accept_failures=False)).passed
        while await filler.step(target):
            pass

        assert set(await vectors(kernel.database, "acme", building.id)) == {"1", "2"}
        await indexer.handle([request("acme", await write(kernel.database, "acme", "3", "text"))])
        with pytest.raises(SpaceNotReadyError, match="lacks 1 items"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)
        assert await filler.step(target)

    async def test_a_text_that_only_the_new_model_cannot_take_forbids_the_switch_until_it_is_accepted(
        self, kernel, indexer, building
    ):
        await indexer.handle([request("acme", await write(kernel.database, "acme", "bad", "some text"))])
        async with kernel.database.transaction("acme") as connection:
            await connection.execute(
                "INSERT INTO embedding_failures SELECT %s, tenant_id, entity_type, entity_id, content_sha256, 'no' "
                "FROM search_items",
                (building.id,),
            )

        probe = await probe_coverage(kernel.database, building, accept_failures=False)
        assert not probe.passed
        with pytest.raises(SpaceNotReadyError, match="accept-failures"):
            await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=False)
        done = await changes.switch(kernel.database, building.id, OPERATOR, accept_failures=True)
        assert (done.lost, await states(kernel.database, "acme")) == (1, {"bad": ("failed", "no")})

        await changes.switch(kernel.database, done.former, OPERATOR, accept_failures=True)
        assert await states(kernel.database, "acme") == {"bad": ("embedded", None)}


async def _items(kernel, tenant: str):

    async with kernel.database.transaction(tenant) as connection:
        cursor = await connection.execute(
            "SELECT entity_type, entity_id, text, content_sha256, generation FROM search_items"
        )
        return [PendingItem(tenant, **row) for row in await cursor.fetchall()]
