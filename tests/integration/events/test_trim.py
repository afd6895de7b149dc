from redis.asyncio import Redis

from mlplatform.events.streams import ensure_group, trim

STREAM = "stream"


async def fill(redis: Redis, entries: int) -> None:
    pipeline = redis.pipeline(transaction=False)
    for number in range(entries):
        pipeline.xadd(STREAM, {"n": number})
    await pipeline.execute()


class TestTrim:
    async def test_leaves_a_short_stream_alone(self, redis: Redis) -> None:
        await fill(redis, 5)
        assert await trim(redis, STREAM, keep=10) == 0

    async def test_drops_old_entries_that_every_group_has_handled(self, redis: Redis) -> None:
        await fill(redis, 1000)
        await ensure_group(redis, STREAM, "group")
        ((_, raws),) = await redis.xreadgroup("group", "me", {STREAM: ">"}, count=1000)
        await redis.xack(STREAM, "group", *(entry_id for entry_id, _ in raws))
        assert await trim(redis, STREAM, keep=10) > 0
        assert 10 <= await redis.xlen(STREAM) < 1000

    async def test_keeps_what_a_group_has_read_and_not_handled(self, redis: Redis) -> None:
        await fill(redis, 1000)
        await ensure_group(redis, STREAM, "group")
        ((_, raws),) = await redis.xreadgroup("group", "me", {STREAM: ">"}, count=1000)
        await redis.xack(STREAM, "group", *(entry_id for entry_id, _ in raws[:500]))
        assert await trim(redis, STREAM, keep=10) > 0
        first_held = raws[500][0]
        assert await redis.xrange(STREAM, first_held, first_held)

    async def test_keeps_what_a_group_has_not_read(self, redis: Redis) -> None:
        await fill(redis, 1000)
        await ensure_group(redis, STREAM, "slow")
        assert await trim(redis, STREAM, keep=10) == 0
        assert await redis.xlen(STREAM) == 1000
