"""Waiting for what a loop does in its own time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

DEADLINE = 120.0


async def eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = DEADLINE) -> None:
    """Return once the condition holds; fail when it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        holds = condition()
        if await holds if inspect.isawaitable(holds) else holds:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not so within {seconds:.0f} s")
