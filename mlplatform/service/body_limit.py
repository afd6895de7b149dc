"""Refuse a body that is too large, without reading it to its end."""

from collections.abc import Collection

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlplatform.errors import PayloadTooLarge, problem_response

CLOSE = {"Connection": "close"}


class BodyLimit:
    """ASGI middleware: 413 by the declared length at once, else while the body streams in.

    Args:
        app: What to protect.
        limit: Largest body, in bytes.
        streamed: Paths that take a body of any length, because they hold only a part of it at a time.
    """

    def __init__(self, app: ASGIApp, limit: int, streamed: Collection[str] = ()) -> None:
        self._app = app
        self._limit = limit
        self._streamed = frozenset(streamed)
        self._detail = f"The body is larger than {limit} bytes; send less, or in parts."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._declares_too_much(request):
            error = PayloadTooLarge(self._detail, headers=CLOSE)
            await problem_response(request, error)(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                # FastAPI turns any error of a body but this class into 400.
                raise HTTPException(PayloadTooLarge.status, self._detail, headers=CLOSE)
            return message

        await self._app(scope, limited, send)

    def _declares_too_much(self, request: Request) -> bool:
        length = request.headers.get("content-length", "")
        return length.isdecimal() and int(length) > self._limit
