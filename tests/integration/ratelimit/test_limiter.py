"""Limits against a real Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from mlplatform.ratelimit import Decision, RateLimiter
from mlplatform.ratelimit.buckets import PAUSE
from mlplatform.ratelimit.limiter import key_of
from mlplatform.settings import PlatformSettings
from tests.unit.auth.issuer import Clock

SLOW = {"rate_limit_per_minute": 1, "rate_limit_burst": 5}
"""Nothing is regained during a test, and nothing is taken ahead."""
FAST = {"rate_limit_per_minute": 600_000, "rate_limit_burst": 1000}
"""10,000 tokens a second, of which 50 are taken ahead at most."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as redis:
        yield redis


def limiter(redis: Redis, **values: int) -> RateLimiter:
    return RateLimiter(redis, PlatformSettings(auth_enabled=True, **values))


async def take(limiter: RateLimiter, identity: str = "ada") -> Decision:
    decision = await limiter.take("jwt", identity, "predict")
    assert decision is not None
    return decision


async def calls(redis: Redis) -> int:
    """Return how often the script ran."""
    stats = await redis.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


def said(decisions: Sequence[Decision]) -> list[tuple[bool, int]]:
    return [(decision.allowed, decision.remaining) for decision in decisions]


class TestBucket:
    async def test_burst_then_refusal(self, redis: Redis) -> None:
        limit = limiter(redis, **SLOW)
        decisions = [await take(limit) for _ in range(7)]
        assert said(decisions) == [(True, 4), (True, 3), (True, 2), (True, 1), (True, 0), (False, 0), (False, 0)]
        assert decisions[0].headers() == {
            "RateLimit-Limit": "5",
            "RateLimit-Remaining": "4",
            "RateLimit-Reset": "60",
        }
        assert decisions[-1].headers() == {
            "RateLimit-Limit": "5",
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": "300",
            "Retry-After": "60",
        }

    async def test_tokens_come_back(self, redis: Redis) -> None:
        limit = limiter(redis, rate_limit_per_minute=600, rate_limit_burst=1)
        assert (await take(limit)).allowed
        deadline = time.monotonic() + 30
        while not (await take(limit)).allowed:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    async def test_everybody_has_a_bucket_of_their_own(self, redis: Redis) -> None:
        limit = limiter(redis, **SLOW)
        for _ in range(6):
            await take(limit)
        assert (await take(limit, "grace")).allowed
        others = await limit.take("api_key", "ada", "predict"), await limit.take("jwt", "ada", "search")
        assert all(decision is not None and decision.allowed for decision in others)

    async def test_processes_share_it(self, redis: Redis) -> None:
        limits = [limiter(redis, **SLOW) for _ in range(3)]
        decisions = [await take(limits[number % 3]) for number in range(6)]
        assert [decision.allowed for decision in decisions] == [True] * 5 + [False]

    async def test_a_full_bucket_leaves_nothing_in_redis(self, redis: Redis) -> None:
        limit = limiter(redis, **FAST)
        await take(limit)
        deadline = time.monotonic() + 30
        while await redis.exists(key_of("jwt", "ada", "predict")):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)


class TestRequestsAtOnce:
    async def test_are_decided_as_one_after_the_other(self, redis: Redis) -> None:
        limit = limiter(redis, **SLOW)
        decisions = await asyncio.gather(*(take(limit) for _ in range(8)))
        assert said(decisions) == [(True, 4), (True, 3), (True, 2), (True, 1), (True, 0)] + [(False, 0)] * 3

    async def test_are_one_question(self, redis: Redis) -> None:
        limit = limiter(redis, **SLOW)
        await take(limit, "somebody who loads the script")
        before = await calls(redis)
        await asyncio.gather(*(take(limit) for _ in range(100)))
        assert await calls(redis) - before == 1

    async def test_one_that_leaves_does_not_take_the_others_along(self, redis: Redis) -> None:
        limit = limiter(redis, **SLOW)
        tasks = [asyncio.create_task(take(limit)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert [(await task).allowed for task in tasks[1:]] == [True, True]

    async def test_of_several_processes_share_the_bucket(self, redis: Redis) -> None:
        limits = [limiter(redis, **SLOW) for _ in range(4)]
        decisions = await asyncio.gather(*(take(limits[number % 4]) for number in range(40)))
        assert sum(decision.allowed for decision in decisions) == 5


class TestBusyCaller:
    async def test_is_mostly_decided_without_redis(self, redis: Redis) -> None:
        limit = limiter(redis, rate_limit_per_minute=6_000_000, rate_limit_burst=100_000)
        await take(limit, "somebody who loads the script")
        before = await calls(redis)
        decisions = [await take(limit) for _ in range(2000)]
        assert all(decision.allowed for decision in decisions)
        assert await calls(redis) - before < 400

    async def test_is_told_what_remains(self, redis: Redis) -> None:
        # A bucket that regains hardly anything, spent in leases: the count goes down by one each time.
        limit = limiter(redis, **FAST)
        limit._interval = limit._buckets._interval = 10**9
        decisions = [await take(limit) for _ in range(1100)]
        assert said(decisions) == [(True, left) for left in range(999, -1, -1)] + [(False, 0)] * 100
        assert [decisions[number].reset for number in (0, 10, 500)] == [1000, 11_000, 501_000]

    async def test_gets_no_more_than_the_bucket_and_the_leases(self, redis: Redis) -> None:
        limits = [limiter(redis, rate_limit_per_minute=60_000, rate_limit_burst=1000) for _ in range(4)]
        begin = time.monotonic()

        async def hammer(limit: RateLimiter) -> int:
            return sum([(await take(limit)).allowed for _ in range(1500)])

        allowed = sum(await asyncio.gather(*(hammer(limit) for limit in limits)))
        refill = (time.monotonic() - begin) * 1000
        assert 1000 - 4 * 50 <= allowed <= 1000 + refill + 1

    async def test_gives_back_what_it_did_not_spend(self, redis: Redis) -> None:
        clock = Clock()
        limit = RateLimiter(redis, PlatformSettings(auth_enabled=True, **FAST), clock=clock)
        limit._interval = limit._buckets._interval = 10**9
        for _ in range(5):  # asks for 1, 1 + 1, 1 + 2 tokens
            decision = await take(limit)
        assert decision.remaining == 995
        clock.now += 1
        assert (await take(limit)).remaining == 994
        other = limiter(redis, **FAST)
        other._interval = other._buckets._interval = 10**9
        assert (await take(other)).remaining == 993


class TestWithoutRedis:
    async def test_nothing_is_decided_and_redis_is_left_alone(self) -> None:
        clock = Clock()
        async with Redis.from_url("redis://127.0.0.1:1/0") as redis:
            limit = RateLimiter(redis, PlatformSettings(auth_enabled=True, **SLOW), clock=clock)
            decisions = await asyncio.gather(*(limit.take("jwt", "ada", "predict") for _ in range(5)))
            assert decisions == [None] * 5
            assert await limit.take("jwt", "ada", "predict") is None

    async def test_it_is_asked_again_after_a_pause(self, redis: Redis) -> None:
        clock = Clock()
        limit = RateLimiter(redis, PlatformSettings(auth_enabled=True, **SLOW), clock=clock)
        limit._buckets._failing = True
        limit._buckets._resume = clock.now + PAUSE.total_seconds()
        assert await limit.take("jwt", "ada", "predict") is None
        clock.now += PAUSE.total_seconds()
        assert (await take(limit)).allowed
        assert (await take(limit)).allowed
