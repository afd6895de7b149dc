import asyncio
from collections.abc import Sequence
from datetime import timedelta

from redis.asyncio import Redis

from mlplatform.errors import DependencyUnavailable
from mlplatform.events import CloudEvent, StreamConsumer, running
from mlplatform.events.streams import EVENT_FIELD, ensure_group
from tests.integration.events.conftest import TYPE, make_event
from tests.integration.events.waiting import until

GROUP = "group"
SOON = timedelta(milliseconds=20)
NEVER = timedelta(minutes=10)


class Handler:
    """Remembers what it was called with, and refuses the events it is told to."""

    def __init__(self, *, refuses: Sequence[str] = (), failures: int = 10_000) -> None:
        self.calls: list[list[str]] = []
        self.handled: list[str] = []
        self.refuses = refuses
        self.failures = failures

    async def __call__(self, events: list[CloudEvent]) -> None:
        ids = [event.id for event in events]
        self.calls.append(ids)
        if self.failures and any(event_id in self.refuses for event_id in ids):
            self.failures -= 1
            raise LookupError("poison")
        self.handled += ids

    async def has(self, *ids: str) -> bool:
        return set(ids) <= set(self.handled)


def consumer(redis: Redis, handler: Handler, **options: object) -> StreamConsumer:
    given = {"retry_delay": SOON, "claim_idle": NEVER} | options
    return StreamConsumer(redis, TYPE, GROUP, handler, **given)  # type: ignore[arg-type]  # options of any type


async def add(redis: Redis, *events: CloudEvent) -> None:
    for event in events:
        await redis.xadd(TYPE, {EVENT_FIELD: event.model_dump_json()})


async def unacknowledged(redis: Redis) -> int:
    return int((await redis.xpending(TYPE, GROUP))["pending"])


async def dead(redis: Redis) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in await redis.xrange(f"{TYPE}.dead")]


class TestRun:
    async def test_handles_a_batch_that_was_there_before_it(self, redis: Redis) -> None:
        events = [make_event() for _ in range(3)]
        await add(redis, *events)
        handler = Handler()
        async with running(consumer(redis, handler), "consumer"):
            await until(lambda: handler.has(*(event.id for event in events)), "the handling")
        assert handler.calls == [[event.id for event in events]]
        assert await unacknowledged(redis) == 0

    async def test_a_group_shares_the_work(self, redis: Redis) -> None:
        first, second = Handler(), Handler()
        events = [make_event() for _ in range(20)]
        ids = sorted(event.id for event in events)

        async def all_handled() -> bool:
            return sorted(first.handled + second.handled) == ids

        async with (
            running(consumer(redis, first, consumer="first", batch=1), "first"),
            running(consumer(redis, second, consumer="second", batch=1), "second"),
        ):
            await add(redis, *events)
            await until(all_handled, "the handling, once each")

    async def test_a_failed_event_is_tried_again_promptly(self, redis: Redis) -> None:
        event = make_event()
        handler = Handler(refuses=[event.id], failures=1)
        # An idle consumer looks back only every claim_idle / 2: five minutes here.
        async with running(consumer(redis, handler), "consumer"):

            async def idle() -> bool:
                return bool(await redis.exists(TYPE))

            await until(idle, "the consumer's first look")
            await add(redis, event)
            await until(lambda: handler.has(event.id), "the second try")
        assert len(handler.calls) == 2

    async def test_a_dependency_that_is_down_counts_against_no_event(self, redis: Redis) -> None:
        event = make_event()
        tries = 0

        async def handler(_: list[CloudEvent]) -> None:
            nonlocal tries
            tries += 1
            if tries < 4:
                raise DependencyUnavailable("postgres")

        async def acknowledged() -> bool:
            return tries == 4 and await unacknowledged(redis) == 0

        await add(redis, event)
        async with running(StreamConsumer(redis, TYPE, GROUP, handler, max_deliveries=2), "consumer"):
            await until(acknowledged, "the handling")
        assert await dead(redis) == []


class TestDeadLetters:
    async def test_poison_goes_there_after_five_tries_and_its_batch_mates_do_not(self, redis: Redis) -> None:
        before, poison, after = make_event(), make_event(), make_event()
        await add(redis, before, poison, after)
        handler = Handler(refuses=[poison.id])
        async with running(consumer(redis, handler), "consumer"):
            (letter,) = await until(lambda: dead(redis), "the burial")
        assert handler.handled == [before.id, after.id]
        assert CloudEvent.model_validate_json(letter[b"event"]) == poison
        assert (letter[b"reason"], letter[b"deliveries"], letter[b"group"]) == (b"LookupError: poison", b"5", b"group")
        # The first delivery calls the handler with the batch and then with each event.
        assert handler.calls.count([poison.id]) == 5
        assert await unacknowledged(redis) == 0

    async def test_what_is_no_event_goes_there_at_once(self, redis: Redis) -> None:
        good = make_event()
        await redis.xadd(TYPE, {EVENT_FIELD: "no JSON"})
        await redis.xadd(TYPE, {"other": "field"})
        await add(redis, good)
        handler = Handler()
        async with running(consumer(redis, handler), "consumer"):
            await until(lambda: handler.has(good.id), "the handling")
        assert [letter[b"deliveries"] for letter in await dead(redis)] == [b"1", b"1"]
        assert handler.calls == [[good.id]]


class TestTakeover:
    async def test_finishes_what_a_dead_consumer_began(self, redis: Redis) -> None:
        event = make_event()
        await add(redis, event)
        await ensure_group(redis, TYPE, GROUP)
        await redis.xreadgroup(GROUP, "died", {TYPE: ">"})
        handler = Handler()
        async with running(consumer(redis, handler, claim_idle=timedelta(milliseconds=50)), "consumer"):
            await until(lambda: handler.has(event.id), "the takeover")
        assert await unacknowledged(redis) == 0

    async def test_an_event_that_kills_its_consumers_is_buried(self, redis: Redis) -> None:
        event = make_event()
        await add(redis, event)
        await ensure_group(redis, TYPE, GROUP)
        ((_, ((entry_id, _),)),) = await redis.xreadgroup(GROUP, "died", {TYPE: ">"})
        await redis.xclaim(TYPE, GROUP, "died", 0, [entry_id], retrycount=5)
        handler = Handler()
        async with running(consumer(redis, handler, claim_idle=timedelta(milliseconds=50)), "consumer"):
            (letter,) = await until(lambda: dead(redis), "the burial")
        assert letter[b"reason"] == b"delivered 5 times and never acknowledged"
        assert handler.calls == []

    async def test_leaves_alone_what_a_slow_consumer_still_works_on(self, redis: Redis) -> None:
        claim_idle = timedelta(milliseconds=300)
        begun, released = asyncio.Event(), asyncio.Event()
        slow_calls: list[list[str]] = []

        async def slow(events: list[CloudEvent]) -> None:
            slow_calls.append([event.id for event in events])
            begun.set()
            await released.wait()

        first, second = make_event(), make_event()
        other = Handler()
        await add(redis, first)
        async with running(StreamConsumer(redis, TYPE, GROUP, slow, consumer="slow", claim_idle=claim_idle), "slow"):
            try:
                async with asyncio.timeout(30):
                    await begun.wait()
                later = asyncio.get_running_loop().time() + 3 * claim_idle.total_seconds()

                async def other_had_its_chance() -> bool:
                    return await other.has(second.id) and asyncio.get_running_loop().time() > later

                async with running(consumer(redis, other, consumer="other", claim_idle=claim_idle), "other"):
                    await add(redis, second)
                    await until(other_had_its_chance, "the handling of the other event")
            finally:
                released.set()
        assert other.calls == [[second.id]]
        assert slow_calls == [[first.id]]
        assert await unacknowledged(redis) == 0


class TestRecovery:
    async def test_goes_on_after_a_flush(self, redis: Redis) -> None:
        before, after = make_event(), make_event()
        handler = Handler()
        async with running(consumer(redis, handler), "consumer"):
            await add(redis, before)
            await until(lambda: handler.has(before.id), "the handling")
            await redis.flushdb()
            await add(redis, after)
            await until(lambda: handler.has(after.id), "the handling after the flush")

    async def test_goes_on_after_its_group_is_gone(self, redis: Redis) -> None:
        first, second = make_event(), make_event()
        handler = Handler()
        async with running(consumer(redis, handler), "consumer"):
            await add(redis, first)
            await until(lambda: handler.has(first.id), "the handling")
            await redis.xgroup_destroy(TYPE, GROUP)
            await add(redis, second)
            await until(lambda: handler.has(second.id), "the handling by the new group")

    async def test_goes_on_after_its_connections_are_lost(self, redis: Redis) -> None:
        event = make_event()
        handler = Handler()
        async with running(consumer(redis, handler), "consumer") as check:
            await redis.connection_pool.disconnect()
            await add(redis, event)
            await until(lambda: handler.has(event.id), "the handling")
            await check()
