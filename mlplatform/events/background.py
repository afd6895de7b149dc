"""Running a loop beside a service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

logger = structlog.get_logger(__name__)


class Loop(Protocol):
    """A relay or a consumer."""

    async def run(self) -> None:
        """Work until stopped."""

    def stop(self) -> None:
        """Let `run` return soon."""


@asynccontextmanager
async def running(
    loop: Loop, name: str, on_fault: Callable[[str, BaseException], None] | None = None
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Run `loop` while the block lasts, and let it finish what it is at when the block ends.

    Args:
        loop: What to run.
        name: Of it, for the log.
        on_fault: Called with the name and the error when the loop has ended by itself.

    Yields:
        A health check that fails once the loop has ended by itself, which only a fault in it can cause.
    """
    task = asyncio.create_task(loop.run(), name=name)
    task.add_done_callback(lambda ended: _report(ended, name, on_fault))

    async def check() -> None:
        if task.done():
            raise RuntimeError(f"{name} has ended; restart the service and see its log")

    try:
        yield check
    finally:
        loop.stop()
        await asyncio.wait({task})


def end_with_task() -> None:
    """End the loop that calls this when its task was cancelled.

    On Python 3.11 a read of Redis that times out at that moment swallows the cancellation, but the task remembers it.

    Raises:
        asyncio.CancelledError: when the current task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _report(
    ended: "asyncio.Task[None]", name: str, on_fault: Callable[[str, BaseException], None] | None = None
) -> None:
    if not ended.cancelled() and (error := ended.exception()) is not None:
        logger.error("events.loop_ended", loop=name, exc_info=error)
        if on_fault is not None:
            on_fault(name, error)
