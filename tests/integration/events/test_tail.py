import asyncio

from redis.asyncio import Redis

from mlplatform.events import CloudEvent, StreamTail
from mlplatform.events.streams import EVENT_FIELD
from tests.integration.events.conftest import TYPE, make_event
from tests.integration.events.waiting import until


async def add(redis: Redis, event: CloudEvent) -> None:
    await redis.xadd(TYPE, {EVENT_FIELD: event.model_dump_json()})


class Reader:
    """Follows a stream in a task of its own."""

    def __init__(self, redis: Redis) -> None:
        self.seen: list[str] = []
        self.tail = StreamTail(redis, TYPE)
        self.task = asyncio.create_task(self.read())

    async def read(self) -> None:
        async for event in self.tail:
            self.seen.append(event.id)

    async def has(self, event: CloudEvent) -> bool:
        return event.id in self.seen

    async def end(self) -> None:
        self.task.cancel()
        done, _ = await asyncio.wait({self.task}, timeout=30)
        assert done
        assert self.task.cancelled()


async def add_until_seen(redis: Redis, readers: list[Reader]) -> None:
    """Publish until every reader follows the stream: what came before its first step is none of its business."""

    async def seen_by_all() -> bool:
        event = make_event()
        await add(redis, event)
        await asyncio.sleep(0)
        return all(reader.seen for reader in readers)

    await until(seen_by_all, "the first event")


class TestStreamTail:
    async def test_every_reader_sees_new_events_and_none_from_before(self, redis: Redis) -> None:
        old, new = make_event(), make_event()
        await add(redis, old)
        readers = [Reader(redis), Reader(redis)]
        await add_until_seen(redis, readers)
        await add(redis, new)
        for reader in readers:
            await until(lambda reader=reader: reader.has(new), "the new event")
            assert old.id not in reader.seen
            await reader.end()

    async def test_skips_what_is_no_event(self, redis: Redis) -> None:
        reader, event = Reader(redis), make_event()
        await add_until_seen(redis, [reader])
        await redis.xadd(TYPE, {EVENT_FIELD: "no JSON"})
        await add(redis, event)
        await until(lambda: reader.has(event), "the event after it")
        await reader.end()

    async def test_goes_on_after_its_connections_are_lost(self, redis: Redis) -> None:
        reader, event = Reader(redis), make_event()
        await add_until_seen(redis, [reader])
        await redis.connection_pool.disconnect()
        await add(redis, event)
        await until(lambda: reader.has(event), "the event")
        await reader.end()
