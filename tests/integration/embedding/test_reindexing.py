"""Reindexing through the stream, and range by range."""

import asyncio
from datetime import timedelta

import pytest

from mlplatform.database import Database
from mlplatform.events import FillRequest, StreamConsumer, running
from mlplatform.spaces import changes, repository
from mlplatform.spaces.space import Space
from services.embedding.batcher import Batcher
from services.embedding.filling.requests import RequestFiller
from services.embedding.reindexing import command
from services.embedding.reindexing import repository as shards
from services.embedding.reindexing.errors import ReindexError, StalledError
from services.embedding.reindexing.options import Options
from services.embedding.reindexing.shards import ShardWorker
from services.embedding.reindexing.stream import StreamReindex
from services.embedding.served_model import Target
from tests.integration.embedding.rows import outbox, request, vectors, write
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import POISON, HaltingEncoder, WordEncoder

JOB = "space-2-all"


@pytest.fixture
async def building(kernel, space) -> Space:
    record = await changes.plan(kernel.database, "text-embedder", "2", "operator:test")
    async with kernel.database.transaction() as connection:
        await repository.define_space(connection, record.id, "b" * 64, space.dimension)
    found = (await changes.find_space(kernel.database, record.id)).space
    assert found is not None
    return found


@pytest.fixture
async def items(kernel, indexer):
    """Twenty items of a tenant and one of another, in the active space."""
    names = [f"{number:02}" for number in range(20)]
    for tenant, own in (("acme", names), ("zeta", ["z"])):
        await indexer.handle(
            [request(tenant, *[await write(kernel.database, tenant, name, f"text {name}") for name in own])]
        )
    return names


async def plan(kernel, space: Space, tenant: str, size: int) -> list[dict]:
    async with kernel.database.transaction(tenant) as connection:
        await shards.plan_shards(connection, JOB, space.id, None, size)
        return await shards.list_shards(connection, JOB)


class TestStream:
    def reindex(self, kernel, space: Space, done: list[int], **options) -> StreamReindex:
        chosen = {"entity_type": None, "batch": 4, "backlog": 8, "patience": 60.0} | options
        return StreamReindex(kernel.database, space, progress=done.append, **chosen)

    async def test_the_nodes_embed_what_lacks_a_vector(self, kernel, indexer, building, items):
        filler = RequestFiller(kernel.database, lambda: [Target(building, indexer.batcher)])
        consumer = StreamConsumer(kernel.redis, FillRequest.event_type, "embedding", filler.handle)
        done: list[int] = []
        async with running(consumer, "fill consumer"):
            await self.reindex(kernel, building, done).run(["acme", "zeta"])

        assert sum(done) == 21
        assert sorted(await vectors(kernel.database, "acme", building.id)) == items
        assert set(await vectors(kernel.database, "zeta", building.id)) == {"z"}

    @pytest.mark.usefixtures("items")
    async def test_never_more_than_the_backlog_is_under_way(self, kernel, building):
        with pytest.raises(StalledError, match="8 items wait"):
            await self.reindex(kernel, building, [], patience=0.1).run(["acme"])

        sent = [FillRequest.from_event(event) for event in await outbox(kernel.database, FillRequest.event_type)]
        assert sum(len(event.items) for event in sent) == 8

    async def test_a_node_without_the_model_passes_an_event_over(self, kernel, indexer, building, space, items):
        filler = RequestFiller(kernel.database, lambda: [Target(space, indexer.batcher)])
        with pytest.raises(StalledError):
            await self.reindex(kernel, building, [], patience=0.1).run(["acme"])

        await filler.handle(await outbox(kernel.database, FillRequest.event_type))

        assert len(items) == 20
        assert await vectors(kernel.database, "acme", building.id) == {}


class TestShards:
    async def test_cover_what_lacks_a_vector_once(self, kernel, indexer, building, items):
        planned = await plan(kernel, building, "acme", 6)
        worker = ShardWorker(kernel.database, indexer.batcher, building, batch=4)

        done = [await worker.work("acme", JOB, shard["shard"]) for shard in planned]

        assert [shard["items"] for shard in planned] == [6, 6, 6, 2]
        assert [shard.stored for shard in done] == [6, 6, 6, 2]
        assert sorted(await vectors(kernel.database, "acme", building.id)) == items

    @pytest.mark.usefixtures("items")
    async def test_work_that_was_broken_off_goes_on_from_its_checkpoint(self, kernel, building):
        (shard,) = await plan(kernel, building, "acme", 100)

        async def has_begun() -> bool:
            return (await plan_left(kernel, "acme"))[0]["stored"] > 0

        halting = HaltingEncoder()
        batcher = Batcher(halting, max_queued_texts=100)
        async with running(batcher, "encoder"):
            worker = ShardWorker(kernel.database, batcher, building, batch=2)
            work = asyncio.create_task(worker.work("acme", JOB, shard["shard"]))
            await eventually(has_begun)
            work.cancel()  # as the loss of its actor does
            await asyncio.gather(work, return_exceptions=True)
            halting.may.set()
        before = len(await vectors(kernel.database, "acme", building.id))

        encoder = WordEncoder()
        batcher = Batcher(encoder, max_queued_texts=100)
        async with running(batcher, "encoder"):
            assert [left["shard"] for left in await plan(kernel, building, "acme", 7)] == [shard["shard"]]
            done = await ShardWorker(kernel.database, batcher, building, batch=5).work("acme", JOB, shard["shard"])

        assert 0 < before < 20
        assert (done.stored, sum(encoder.forwarded)) == (20 - before, 20 - before)
        assert len(await vectors(kernel.database, "acme", building.id)) == 20

    @pytest.mark.usefixtures("items")
    async def test_of_two_on_one_range_none_takes_the_other_back(self, kernel, indexer, building):
        (shard,) = await plan(kernel, building, "acme", 100)
        workers = [ShardWorker(kernel.database, indexer.batcher, building, batch=3) for _ in range(2)]

        await asyncio.gather(*(worker.work("acme", JOB, shard["shard"]) for worker in workers))

        (left,) = await plan_left(kernel, "acme")
        assert left["done"]
        assert len(await vectors(kernel.database, "acme", building.id)) == 20

    async def test_a_text_that_the_model_cannot_take_is_counted_and_left(self, kernel, indexer, building, space):
        await indexer.handle([request("acme", await write(kernel.database, "acme", "good", "text"))])
        item = await write(kernel.database, "acme", "bad", f"some {POISON}")
        await indexer.handle([request("acme", item)])
        (shard,) = await plan(kernel, building, "acme", 100)

        done = await ShardWorker(kernel.database, indexer.batcher, building, batch=4).work("acme", JOB, shard["shard"])

        assert (done.stored, done.failed) == (1, 1)
        assert await plan(kernel, building, "acme", 100) == []
        assert set(await vectors(kernel.database, "acme", space.id)) == {"good"}

    @pytest.mark.usefixtures("items")
    async def test_of_a_space_that_is_retired_meanwhile_end_the_work(
        self, kernel, owner_database, indexer, building, monkeypatch
    ):
        (shard,) = await plan(kernel, building, "acme", 100)
        find = shards.find_shard

        async def find_before_the_retirement(connection, *which):
            found = await find(connection, *which)
            await changes.retire(owner_database, building.id, "operator:test", force=False)
            return found

        monkeypatch.setattr(shards, "find_shard", find_before_the_retirement)

        with pytest.raises(ReindexError, match="is gone"):
            await ShardWorker(kernel.database, indexer.batcher, building, batch=4).work("acme", JOB, shard["shard"])

    @pytest.mark.usefixtures("items")
    async def test_of_one_tenant_are_unknown_to_another(self, kernel, building):
        await plan(kernel, building, "acme", 6)

        async with kernel.database.transaction("zeta") as connection:
            assert await shards.list_shards(connection, JOB) == []


class TestPatience:
    @pytest.mark.usefixtures("items")
    async def test_a_look_at_every_item_outlasts_the_limit_of_other_statements(self, database_urls, building, owner):
        database = Database(database_urls.app, statement_timeout=timedelta(milliseconds=200))
        await database.open()
        reindex = StreamReindex(
            database, building, entity_type=None, batch=4, backlog=4, patience=0.1, progress=lambda _: None
        )
        with owner.transaction():
            owner.execute("LOCK TABLE search_items IN ACCESS EXCLUSIVE MODE")
            looks = [
                asyncio.create_task(command._count(database, building, Options(entity=None), ["acme"])),
                asyncio.create_task(reindex.run(["zeta"])),
            ]
            done, _ = await asyncio.wait(looks, timeout=1)
        found = await asyncio.gather(*looks, return_exceptions=True)
        await database.close()

        assert done == set()
        assert (found[0], type(found[1])) == (20, StalledError)


async def plan_left(kernel, tenant: str) -> list[dict]:
    async with kernel.database.transaction(tenant) as connection:
        return await shards.list_shards(connection, JOB)
