"""How long a body may stall while a service holds room for it."""

import asyncio

from starlette.types import Message, Receive

from mlplatform.errors import RequestTimeout

LEAST_RATE = 128 * 1024
"""Bytes per second that a body must come at in the long run, or a drip would hold its room for ever."""


def patient(receive: Receive, seconds: float, size: int) -> Receive:
    """Wait for each part of a body only so long; what comes after the body, such as a disconnect, may take its time.

    Args:
        receive: As ASGI has it.
        seconds: Between two parts.
        size: Most bytes of the body; it has that time, and what it takes at the least rate.

    Returns:
        The same, which raises `RequestTimeout`.
    """
    whole = False
    loop = asyncio.get_running_loop()
    last = loop.time() + seconds + size / LEAST_RATE

    async def part() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(min(loop.time() + seconds, last)):
                message = await receive()
        except TimeoutError as error:
            detail = f"The body stopped for {seconds:g} s, or came too slowly; send it without a pause."
            raise RequestTimeout(detail, headers={"Connection": "close"}) from error
        whole = not message.get("more_body", False)
        return message

    return part
