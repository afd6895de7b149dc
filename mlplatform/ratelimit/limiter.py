"""Limits callers by token buckets in Redis."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

from prometheus_client import Counter
from redis.asyncio import Redis

from mlplatform.ratelimit.bucket import interval_of
from mlplatform.ratelimit.buckets import Buckets, Grant
from mlplatform.ratelimit.decision import Decision, seconds
from mlplatform.ratelimit.leases import Leases
from mlplatform.settings import PlatformSettings

ERRORS = Counter("ml_rate_limit_errors_total", "Requests whose limit Redis could not check.")
REFUSED = Counter("ml_rate_limit_refused_total", "Requests refused by their limit.", ["route_class"])

Waiter = asyncio.Future[Decision | None]


class RateLimiter:
    """One bucket for each caller and route class.

    Requests of one caller that arrive while Redis is asked for it are the next question together. The answer is the one
    that they would have got one after the other.

    Where authentication is off, limiting is too unless `ML_RATE_LIMIT_ENABLED` says otherwise: there is one caller.
    """

    def __init__(
        self, redis: Redis, settings: PlatformSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        asked_for = "rate_limit_enabled" in settings.model_fields_set
        self.enabled = settings.rate_limit_enabled and (settings.auth_enabled or asked_for)
        self._interval = interval_of(settings.rate_limit_per_minute)
        self._burst = settings.rate_limit_burst
        self._buckets = Buckets(redis, interval=self._interval, burst=self._burst, clock=clock)
        self._leases = Leases(interval=self._interval, burst=self._burst, clock=clock)
        self._waiting: dict[str, list[Waiter]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, group: str, identity: str, route_class: str) -> Decision | None:
        """Take a token; None when Redis cannot say, and the caller of this decides.

        Args:
            group: keeps identities of different kinds apart, so that nobody can spend another's tokens.
            identity: who; any text.
            route_class: what is limited together.
        """
        key = key_of(group, identity, route_class)
        found = self._leases.spend(key)
        if found is not None:
            unspent, grant = found
            return self._allow(grant, unspent)
        decision = await self._wait(key)
        if decision is None:
            ERRORS.inc()
        elif not decision.allowed:
            REFUSED.labels(route_class).inc()
        return decision

    def _wait(self, key: str) -> Waiter:
        """Join those who wait for the same bucket; the first one sets out to ask."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(waiter)
            return waiter
        self._waiting[key] = [waiter]
        # A task of its own: a caller that leaves must not take the answer of the others along.
        task = asyncio.create_task(self._serve(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return waiter

    async def _serve(self, key: str) -> None:
        while waiters := [waiter for waiter in self._waiting[key] if not waiter.done()]:
            self._waiting[key] = []
            try:
                outcomes = await self._ask(key, len(waiters))
            except BaseException as error:
                for waiter in (*waiters, *self._waiting.pop(key)):
                    if not waiter.done():
                        waiter.set_exception(error)
                raise
            for waiter, outcome in zip(waiters, outcomes, strict=True):
                if not waiter.done():
                    waiter.set_result(outcome)
        del self._waiting[key]

    async def _ask(self, key: str, requests: int) -> Sequence[Decision | None]:
        ahead, returned = self._leases.plan(key)
        grant = await self._buckets.take(key, requests + ahead, returned)
        if grant is None:
            return [None] * requests
        self._leases.keep(key, asked=ahead, unspent=max(0, grant.tokens - requests), grant=grant)
        return [self._decide(grant, number) for number in range(1, requests + 1)]

    def _decide(self, grant: Grant, number: int) -> Decision:
        """Decide on the first, second, … of those who asked together."""
        if number <= grant.tokens:
            return self._allow(grant, grant.tokens - number)
        return Decision(
            allowed=False,
            limit=self._burst,
            remaining=grant.remaining,
            reset=seconds(grant.until_full),
            retry_after=seconds(grant.until_token),
        )

    def _allow(self, grant: Grant, unspent: int) -> Decision:
        return Decision(
            allowed=True,
            limit=self._burst,
            remaining=grant.remaining + unspent,
            reset=seconds(grant.until_full - unspent * self._interval),
            retry_after=0 if grant.remaining + unspent else seconds(grant.until_token),
        )


def key_of(group: str, identity: str, route_class: str) -> str:
    """The bucket's key; the identity is hashed, because its length and characters are the caller's choice."""
    digest = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"ml:limit:{group}:{route_class}:{digest}"
