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

FORM = 3
"""Of what is stored and of how it is ranked; rankings of another form are never read."""
PREFIX = "ml:search:"
LARGEST_ENTRY = 64 * 1024
KEY_BYTES = 32
PATIENCE_SECONDS = 0.1
PAUSE_SECONDS = 2.0

logger = structlog.get_logger(__name__)


class RankingCache:
    """A fixed number of places; each query has one, and the ranking made last is in it.

    Redis holds streams and queues too and evicts nothing, so what a cache may take must be bounded by itself. An entry
    carries its whole key, so two queries of one place are never mistaken for each other. Without Redis nothing is kept,
    and nobody waits for it.

    Only the order of items is kept, never the items: those are read from the database for every answer. So even a
    ranking that is out of date shows nothing that was deleted.

    Args:
        redis: Where they are kept.
        ttl: How long; nothing is kept for no time.
        entries: How many places; nothing is kept in none.
    """

    def __init__(self, redis: Redis, ttl: timedelta, *, entries: int) -> None:
        self._redis = redis
        self._entries = entries
        self._seconds = int(ttl.total_seconds())
        self._paused_until = 0.0

    async def find(self, tenant: str, key: str) -> Ranking | None:
        """Return a ranking of the tenant."""
        if not self._is_open():
            return None
        digest = _digest(tenant, key)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                stored = await self._redis.get(self._place(digest))
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return None
        if not isinstance(stored, bytes) or not stored.startswith(digest):
            metrics.CACHE.labels("miss").inc()
            return None
        metrics.CACHE.labels("hit").inc()
        return Ranking.from_bytes(stored[KEY_BYTES:])

    async def keep(self, tenant: str, key: str, ranking: Ranking) -> None:
        """Keep a ranking of the tenant, unless it is too large."""
        if not self._is_open():
            return
        digest = _digest(tenant, key)
        entry = digest + ranking.to_bytes()
        if len(entry) > LARGEST_ENTRY:
            metrics.CACHE.labels("too_large").inc()
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._redis.set(self._place(digest), entry, ex=self._seconds)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)

    def _is_open(self) -> bool:
        return self._seconds > 0 and self._entries > 0 and time.monotonic() >= self._paused_until

    def _place(self, digest: bytes) -> str:
        return f"{PREFIX}{int.from_bytes(digest[:8]) % self._entries}"

    def _pause(self, error: Exception) -> None:
        metrics.CACHE.labels("error").inc()
        logger.warning("search.cache_unavailable", error=type(error).__name__, pause_seconds=PAUSE_SECONDS)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def ranking_key(query: Query, state: State, weight: float, window: int) -> str:
    """Name what the ranking of a query depends on, apart from the tenant."""
    space = None if state.space is None else (state.space.id, state.space.digest)
    parts = [FORM, query.fingerprint(), space, state.generation, weight, query.depth, window]
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


def _digest(tenant: str, key: str) -> bytes:
    return hashlib.blake2b(orjson.dumps([tenant, key]), digest_size=KEY_BYTES).digest()
