"""Waiting for what a background loop does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T]], what: str, *, seconds: float = 30.0) -> T:
    """Return the first answer of `probe` that is not empty, zero or None.

    Raises:
        AssertionError: there was none in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := await probe():
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {seconds:.0f} s")
