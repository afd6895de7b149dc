"""What routes know of a body that is read in parts."""

from collections.abc import AsyncIterator

from fastapi import Request

from mlplatform.service.body_timeout import patient
from services.model_serving.serving import Serving

DIGITS = 18
"""Of a length that can be true."""


def declared_size(request: Request) -> int | None:
    """Return how many bytes a request says that its body has; None when it does not say."""
    declared = request.headers.get("content-length", "")
    return int(declared[:DIGITS]) if declared.isdecimal() else None


def body_of(request: Request, serving: Serving, most: int) -> AsyncIterator[bytes]:
    """Return a body in parts, none of which may be long in coming.

    Args:
        request: Whose.
        serving: The running service.
        most: Bytes that the body may have.
    """
    receive = patient(request.receive, serving.batch.body_timeout.total_seconds(), most)
    return Request(request.scope, receive).stream()


async def is_empty(body: AsyncIterator[bytes], declared: int | None) -> bool:
    """Whether a body has no byte; reads no further than the first, and nothing when its length is declared."""
    if declared is not None:
        return declared == 0
    async for part in body:
        if part:
            return False
    return True
