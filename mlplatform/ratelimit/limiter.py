"""Limits callers by token buckets in Redis."""

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from mlplatform.ratelimit.bucket import TAKE, interval_of
from mlplatform.settings import PlatformSettings

TIMEOUT = timedelta(milliseconds=500)
"""Longest wait for Redis; limiting must not cost more than what it protects."""
PAUSE = timedelta(seconds=1)
"""After a failure Redis is left alone for this long, so that a dead one does not slow every request."""
IN_FLIGHT = 8
"""Calls to Redis at once. A crowd would use up the client's connections, and then go unlimited."""
MICROSECONDS = 1_000_000

ERRORS = Counter("ml_rate_limit_errors_total", "Requests whose limit Redis could not check.")
REFUSED = Counter("ml_rate_limit_refused_total", "Requests refused by their limit.", ["route_class"])

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bucket says.

    Attributes:
        allowed: whether the request may go on.
        limit: tokens of a full bucket.
        remaining: whole tokens left.
        reset: whole seconds until the bucket is full.
        retry_after: whole seconds until it has a token.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int

    def headers(self) -> dict[str, str]:
        """The headers that tell the caller."""
        fields = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return fields if self.allowed else {**fields, "Retry-After": str(max(1, self.retry_after))}


class RateLimiter:
    """One bucket for each caller and route class.

    Where authentication is off, limiting is too unless `ML_RATE_LIMIT_ENABLED` says otherwise: there is one caller.
    """

    def __init__(
        self, redis: Redis, settings: PlatformSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        asked_for = "rate_limit_enabled" in settings.model_fields_set
        self.enabled = settings.rate_limit_enabled and (settings.auth_enabled or asked_for)
        self._take = redis.register_script(TAKE)
        self._interval = interval_of(settings.rate_limit_per_minute)
        self._burst = settings.rate_limit_burst
        self._clock = clock
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self._failing = False
        self._resume = float("-inf")

    async def take(self, group: str, identity: str, route_class: str) -> Decision | None:
        """Take a token; None when Redis cannot say, and the caller of this decides.

        Args:
            group: keeps identities of different kinds apart, so that nobody can spend another's tokens.
            identity: who; any text.
            route_class: what is limited together.
        """
        key = key_of(group, identity, route_class)
        if self._clock() < self._resume:
            ERRORS.inc()
            return None
        if self._failing:
            self._resume = self._clock() + PAUSE.total_seconds()  # this call probes, the others wait for what it finds
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()), self._places:
                reply = await self._take(keys=[key], args=[self._interval, self._burst])
        except (RedisError, OSError) as error:  # the time-out is an OSError
            self._failing = True
            self._resume = self._clock() + PAUSE.total_seconds()
            ERRORS.inc()
            logger.warning("rate_limit.unchecked", error=type(error).__name__)
            return None
        self._failing = False
        self._resume = float("-inf")
        allowed, remaining, until_full, until_token, _ = (int(part) for part in reply)
        if not allowed:
            REFUSED.labels(route_class).inc()
        return Decision(
            bool(allowed),
            self._burst,
            remaining,
            math.ceil(until_full / MICROSECONDS),
            math.ceil(until_token / MICROSECONDS),
        )


def key_of(group: str, identity: str, route_class: str) -> str:
    """The bucket's key; the identity is hashed, because its length and characters are the caller's choice."""
    digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"ml:limit:{group}:{route_class}:{digest}"
