"""Vectors of texts that were embedded before, in Redis."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Literal

from opentelemetry import trace
from redis.asyncio import Redis
from redis.exceptions import RedisError

from mlplatform.telemetry import unless_kept
from services.embedding import metrics
from services.embedding.circuit import Circuit
from services.embedding.vectors import Row, pack, size_of, unpack

PREFIX = "ml:embedding:"
TIMEOUT_SECONDS = 0.1
"""Longest wait for Redis; a vector found later than that might as well have been computed."""
LARGEST_ENTRY = 32 * 1024
WRITES_AT_ONCE = 4
"""Writes in the background; what comes while so many run is not stored."""
STORED_TOGETHER = 256
GATHERED_SECONDS = 0.02
"""How long rows are gathered: Redis is handed those of several queries at a fifth of what each alone would cost."""
MOST_GATHERED = 4096
"""Rows; what comes while so many wait is not stored."""
FAILURES = (RedisError, OSError)  # a time-out is an OSError


class VectorCache:
    """A fixed number of places; each text has one, and the text embedded last is in it.

    Redis holds streams and queues too and evicts nothing, so what a cache may take must be bounded by itself. An entry
    carries its whole key, so two texts of one place are never mistaken for each other.

    Whatever goes wrong with Redis, a text is just not found: nothing is raised.

    Args:
        redis: Where the entries are.
        entries: How many places; 0 turns the cache off.
        ttl: How long an entry stays.
    """

    def __init__(self, redis: Redis, *, entries: int, ttl: timedelta) -> None:
        self._redis = redis
        self._entries = entries
        self._seconds = max(1, int(ttl.total_seconds()))
        self._circuit = Circuit("redis", self._ping, FAILURES)
        self._writes: set[asyncio.Task[None]] = set()
        self._gathered: dict[bytes, Row] = {}
        self._gatherer: asyncio.Task[None] | None = None

    @property
    def state(self) -> Literal["on", "off", "unreachable"]:
        """`on`, `off`, or `unreachable` while Redis does not answer."""
        if not self._entries:
            return "off"
        return "unreachable" if self._circuit.is_open else "on"

    async def read(self, keys: Sequence[bytes], dimension: int) -> dict[bytes, Row]:
        """Return the rows that are there.

        Args:
            keys: Of the texts, 32 bytes each.
            dimension: Of the model's vectors.
        """
        if not self._holds(dimension) or not self._circuit.allows():
            return {}
        rows = {key: row for key in keys if (row := self._gathered.get(key)) is not None}
        elsewhere = [key for key in keys if key not in rows]
        try:
            entries = await self._fetch([self._place(key) for key in elsewhere]) if elsewhere else []
        except FAILURES as error:
            self._fail(error)
            return rows
        for key, entry in zip(elsewhere, entries, strict=True):
            row = unpack(entry, key, dimension)
            if row is not None:
                rows[key] = row
        metrics.CACHE_HITS.inc(len(rows))
        metrics.CACHE_MISSES.inc(len(keys) - len(rows))
        return rows

    def write(self, rows: Mapping[bytes, Row], dimension: int) -> None:
        """Store rows in the background; nobody waits for it."""
        if not rows or not self._holds(dimension) or not self._circuit.allows():
            return
        if trace.get_current_span().is_recording():  # the trace is to show its own writes
            if len(self._writes) < WRITES_AT_ONCE:
                self._start(self._store(rows))
            else:
                metrics.CACHE_DROPPED.inc(len(rows))
            return
        if self._gathered and len(self._gathered) + len(rows) > MOST_GATHERED:
            metrics.CACHE_DROPPED.inc(len(rows))
            return
        self._gathered.update(rows)
        if self._gatherer is None:
            self._gatherer = self._start(self._store_gathered())

    async def settle(self) -> None:
        """Wait for the writes in the background."""
        while self._writes:
            await asyncio.wait(self._writes)

    async def close(self) -> None:
        """Finish the writes and stop probing."""
        await self.settle()
        await self._circuit.close()

    def _start(self, write: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(write)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _fetch(self, places: Sequence[str]) -> Sequence[bytes | str | None]:
        with unless_kept():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                entries: Sequence[bytes | str | None] = await self._redis.mget(places)
                return entries

    async def _store_gathered(self) -> None:
        try:
            while self._gathered:
                await asyncio.sleep(GATHERED_SECONDS)
                rows = dict(self._gathered)
                try:
                    with unless_kept():
                        await self._store(rows)
                finally:
                    for key in rows:  # they are found here until they are found there
                        del self._gathered[key]
        finally:
            self._gatherer = None

    async def _store(self, rows: Mapping[bytes, Row]) -> None:
        items = iter(rows.items())
        try:
            while part := list(islice(items, STORED_TOGETHER)):
                pipeline = self._redis.pipeline(transaction=False)
                for key, row in part:
                    pipeline.set(self._place(key), pack(key, row), ex=self._seconds)
                async with asyncio.timeout(TIMEOUT_SECONDS * 10):
                    await pipeline.execute()
        except FAILURES as error:
            self._fail(error)

    async def _ping(self) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS * 10):
            await self._redis.ping()

    def _holds(self, dimension: int) -> bool:
        return self._entries > 0 and size_of(dimension) <= LARGEST_ENTRY

    def _place(self, key: bytes) -> str:
        return f"{PREFIX}{int.from_bytes(key[:8]) % self._entries}"

    def _fail(self, error: Exception) -> None:
        metrics.CACHE_ERRORS.inc()
        self._circuit.trip(error)
