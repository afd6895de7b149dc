import asyncio
import time
from datetime import timedelta

import pytest

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.events import BulkReindexRequest, ReindexRequest, streams
from services.embedding import sweeper as sweeper_module
from services.embedding.sweeper import Sweeper
from tests.integration.embedding.rows import age, outbox, states, write

GROUP = "embedding"


@pytest.fixture
def sweeper(kernel):
    return make(kernel, kernel.database)


def make(kernel, database):
    return Sweeper(
        database,
        kernel.redis,
        kernel.relay,
        group=GROUP,
        interval=timedelta(milliseconds=10),
        overdue_after=timedelta(seconds=30),
    )


async def publish_earlier(kernel, seconds, stream=ReindexRequest.event_type):
    """Add an event that nobody handles to a stream, as if that long ago."""
    await kernel.redis.xadd(stream, {"event": "{}"}, id=f"{int((time.time() - seconds) * 1000)}-1")
    await streams.ensure_group(kernel.redis, stream, GROUP)


class TestSweep:
    async def test_an_overdue_item_of_each_tenant_is_sent_again(self, kernel, sweeper):
        for tenant in ("acme", "zeta"):
            await write(kernel.database, tenant, "1", "text")
            await age(kernel.database, tenant, 31)

        assert await sweeper.sweep() == 2

        sent = await outbox(kernel.database, BulkReindexRequest.event_type)
        requests = [BulkReindexRequest.from_event(event) for event in sent]
        assert [(request.tenant, request.items[0].entity_id) for request in requests] == [("acme", "1"), ("zeta", "1")]

    async def test_a_young_item_is_left_alone(self, kernel, sweeper):
        await write(kernel.database, "acme", "1", "text")
        await age(kernel.database, "acme", 25)

        assert await sweeper.sweep() == 0

    async def test_an_item_is_not_sent_again_at_the_next_sweep(self, kernel, sweeper):
        await write(kernel.database, "acme", "1", "text")
        await age(kernel.database, "acme", 31)

        assert [await sweeper.sweep(), await sweeper.sweep()] == [1, 0]

    @pytest.mark.parametrize("stream", [ReindexRequest.event_type, BulkReindexRequest.event_type])
    async def test_an_item_that_waits_in_a_long_stream_is_not_lost(self, kernel, sweeper, stream):
        await publish_earlier(kernel, seconds=100, stream=stream)
        await write(kernel.database, "acme", "1", "text")
        await age(kernel.database, "acme", 120)

        assert await sweeper.sweep() == 0

    async def test_an_item_older_than_all_that_waits_is_lost(self, kernel, sweeper):
        await publish_earlier(kernel, seconds=100)
        await write(kernel.database, "acme", "1", "text")
        await age(kernel.database, "acme", 140)

        assert await sweeper.sweep() == 1

    async def test_all_that_are_overdue_are_sent_at_once(self, kernel, sweeper, monkeypatch):
        monkeypatch.setattr(sweeper_module, "ITEMS_PER_CLAIM", 3)
        for number in range(7):
            await write(kernel.database, "acme", str(number), "text")
        await age(kernel.database, "acme", 31)

        assert await sweeper.sweep() == 7

    async def test_what_it_sends_is_what_the_indexer_takes(self, kernel, sweeper, indexer):
        await write(kernel.database, "acme", "1", "text")
        await age(kernel.database, "acme", 31)
        await sweeper.sweep()

        await indexer.handle(await outbox(kernel.database, BulkReindexRequest.event_type))

        assert await states(kernel.database, "acme") == {"1": ("embedded", None)}


class TestRun:
    async def test_it_outlives_a_postgres_that_gives_no_connection(self, kernel):
        database = Database("postgresql://nobody@127.0.0.1:9/none", acquire_timeout=timedelta(seconds=0.1))
        await database.open()
        sweeper = make(kernel, database)
        with pytest.raises(DependencyUnavailable):
            await sweeper.sweep()
        running = asyncio.create_task(sweeper.run())

        done, _ = await asyncio.wait({running}, timeout=0.5)

        assert not done
        sweeper.stop()
        await running
        await database.close()
