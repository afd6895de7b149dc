"""Whether the caller is still there."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

GRACE_SECONDS = 0.02
"""Work that takes no longer is not watched: watching costs more than it could save."""

Result = TypeVar("Result")
Wait = Callable[[], Awaitable[None]]


class ClientGone(Exception):
    """The client closed the connection before it had its answer."""


async def wait_forever() -> None:
    """Wait for a caller that cannot leave."""
    await asyncio.Event().wait()


def departure(receive: Receive) -> Wait:
    """Return what waits until the client of a request, whose body has been read, closes the connection.

    Args:
        receive: As ASGI has it.
    """

    async def wait() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return wait


async def unless_gone(work: Coroutine[Any, Any, Result], gone: Wait) -> Result:
    """Do some work, and drop it when the caller leaves before it is done.

    Args:
        work: What the caller waits for; cancelled when nobody does any more.
        gone: Returns when the caller has left.

    Raises:
        ClientGone: There is nobody to answer.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
        if not task.done():
            watch = asyncio.ensure_future(gone())
            try:
                await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watch.cancel()
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
