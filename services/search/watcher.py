"""Wakes index requests that wait for their embeddings."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from mlplatform.events import IndexUpdated, StreamTail


class IndexWatcher:
    """Follows the stream of index updates. What it tells is a hint: whoever waits asks the database.

    Args:
        tail: The stream `search.index.updated.v1`.
    """

    def __init__(self, tail: StreamTail) -> None:
        self._tail = tail
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Follow the stream until stopped."""
        self._task = asyncio.current_task()
        async for event in self._tail:
            for waiting in self._waiting.get(IndexUpdated.from_event(event).tenant, ()):
                waiting.set()

    def stop(self) -> None:
        """End `run`; nothing is lost by it."""
        if self._task is not None:
            self._task.cancel()

    @contextmanager
    def watch(self, tenant: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever the tenant's index was updated; the waiter clears it."""
        event = asyncio.Event()
        self._waiting[tenant].add(event)
        try:
            yield event
        finally:
            self._waiting[tenant].discard(event)
            if not self._waiting[tenant]:
                del self._waiting[tenant]
