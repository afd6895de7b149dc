"""Rankings in Redis, for pages and repeated queries."""

import asyncio
import hashlib
import time
from datetime import timedelta

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.search import metrics
from services.search.query.query import Query
from services.search.query.ranking import Ranking
from services.search.query.state import State

FORM = 1
"""Of what is stored; rankings of another form are never read."""
PATIENCE_SECONDS = 0.1
PAUSE_SECONDS = 2.0

logger = structlog.get_logger(__name__)


class RankingCache:
    """Keeps rankings for a while. Without Redis it keeps nothing, and nobody waits for it.

    Only the order of items is kept, never the items: those are read from the database for every answer. So even a
    ranking that is out of date shows nothing that was deleted.

    Args:
        redis: Where they are kept.
        ttl: How long; nothing is kept for no time.
    """

    def __init__(self, redis: Redis, ttl: timedelta) -> None:
        self._redis = redis
        self._seconds = int(ttl.total_seconds())
        self._paused_until = 0.0

    async def find(self, tenant: str, key: str) -> Ranking | None:
        """Return a ranking of the tenant."""
        if not self._is_open():
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                stored = await self._redis.get(_name(tenant, key))
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return None
        metrics.CACHE.labels("miss" if stored is None else "hit").inc()
        return None if stored is None else Ranking.from_bytes(stored)

    async def keep(self, tenant: str, key: str, ranking: Ranking) -> None:
        """Keep a ranking of the tenant."""
        if not self._is_open():
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._redis.set(_name(tenant, key), ranking.to_bytes(), ex=self._seconds)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)

    def _is_open(self) -> bool:
        return self._seconds > 0 and time.monotonic() >= self._paused_until

    def _pause(self, error: Exception) -> None:
        metrics.CACHE.labels("error").inc()
        logger.warning("search.cache_unavailable", error=type(error).__name__, pause_seconds=PAUSE_SECONDS)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def ranking_key(query: Query, state: State, weight: float, window: int) -> str:
    """Name what the ranking of a query depends on, apart from the tenant."""
    space = None if state.space is None else (state.space.id, state.space.digest)
    parts = [FORM, query.fingerprint(), space, state.generation, weight, window]
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


def _name(tenant: str, key: str) -> str:
    """The tenant is hashed, because its length and characters are its owner's choice."""
    return f"ml:search:{hashlib.blake2b(tenant.encode(), digest_size=12).hexdigest()}:{key}"
