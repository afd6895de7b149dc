"""Asks Redis for tokens, and leaves it alone for a while when it does not answer."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from mlplatform.ratelimit.bucket import TAKE

TIMEOUT = timedelta(milliseconds=500)
"""Longest wait for Redis; limiting must not cost more than what it protects."""
PAUSE = timedelta(seconds=1)
"""After a failure Redis is left alone for this long, so that a dead one does not slow every request."""
IN_FLIGHT = 8
"""Calls to Redis at once. A crowd would use up the client's connections, and then go unlimited."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """What Redis gave.

    Attributes:
        tokens: at most what was wanted.
        remaining: whole tokens left in the bucket.
        until_full: microseconds.
        until_token: microseconds.
    """

    tokens: int
    remaining: int
    until_full: int
    until_token: int


class Buckets:
    """The buckets of one kind.

    Args:
        redis: where they are.
        interval: microseconds in which a token is regained.
        burst: tokens of a full bucket.
        clock: seconds that only grow; tests turn it.
    """

    def __init__(self, redis: Redis, *, interval: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._take = redis.register_script(TAKE)
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._failing = False
        self._resume = float("-inf")

    async def take(self, key: str, wanted: int, returned: int) -> Grant | None:
        """Take tokens after giving some back; None when Redis cannot say."""
        if self._clock() < self._resume:
            return None
        if self._failing:
            self._resume = self._clock() + PAUSE.total_seconds()  # this call probes, the others wait for what it finds
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()), self._places:
                reply = await self._take(keys=[key], args=[self._interval, self._burst, wanted, returned])
        except (RedisError, OSError) as error:  # the time-out is an OSError
            self._failing = True
            self._resume = self._clock() + PAUSE.total_seconds()
            logger.warning("rate_limit.unchecked", error=type(error).__name__)
            return None
        self._failing = False
        self._resume = float("-inf")
        return Grant(*(int(part) for part in reply))
