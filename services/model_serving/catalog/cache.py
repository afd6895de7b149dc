"""Answers of the registry that a moment's staleness does not hurt."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class ShortCache(Generic[Value]):
    """Keeps what a blocking call returned for a while.

    Args:
        seconds: how long.
        size: entries; the oldest goes first.
    """

    def __init__(self, seconds: float, size: int = 256) -> None:
        self._seconds = seconds
        self._size = size
        self._entries: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    async def get(self, key: Hashable, call: Callable[[], Value]) -> Value:
        """Return the value of a key, by the call in a thread when it is absent or too old. Errors are not kept."""
        expires, value = self._entries.get(key, (0.0, None))
        if value is not None and time.monotonic() < expires:
            return value
        fresh = await asyncio.to_thread(call)
        self._entries.pop(key, None)
        self._entries[key] = time.monotonic() + self._seconds, fresh
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return fresh
