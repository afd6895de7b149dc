"""How long a body may stall while a service holds room for it."""

import asyncio

from starlette.types import Message, Receive

from mlplatform.errors import RequestTimeout


def patient(receive: Receive, seconds: float) -> Receive:
    """Wait for each part of a body only so long; what comes after the body, such as a disconnect, may take its time.

    Args:
        receive: As ASGI has it.
        seconds: Between two parts.

    Returns:
        The same, which raises `RequestTimeout`.
    """
    whole = False

    async def part() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(seconds):
                message = await receive()
        except TimeoutError as error:
            detail = f"No part of the body came for {seconds:g} s; send it without a pause."
            raise RequestTimeout(detail, headers={"Connection": "close"}) from error
        whole = not message.get("more_body", False)
        return message

    return part
