"""When a loop beside a service looks."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any


class Beat:
    """Beats at once and then after each interval, or sooner when it is woken, until it is stopped.

    Args:
        interval: between the end of what is done at one beat and the next.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval.total_seconds()
        self._wake = asyncio.Event()
        self.stopped = False

    async def __aiter__(self) -> AsyncIterator[None]:
        """Yield at each beat; a wake during what is done at one brings the next at once."""
        while not self.stopped:
            self._wake.clear()
            yield
            try:
                await asyncio.wait_for(self._wake.wait(), self._interval)
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Have the next beat come at once."""
        self._wake.set()

    def stop(self) -> None:
        """Let there be no more beats."""
        self.stopped = True
        self._wake.set()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do work that does not end by itself, such as following a stream, while the block lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        while not task.done():  # asyncio.wait_for of Python 3.11, which the Redis client uses, can lose a cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)
