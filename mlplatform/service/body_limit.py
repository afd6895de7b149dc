"""Refuse a body that is too large, or one too many, without reading it to its end."""

from collections.abc import Collection

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlplatform.errors import Overloaded, PayloadTooLarge, RequestTimeout, problem_response
from mlplatform.service.body_budget import BodyBudget, HeldBody
from mlplatform.service.body_timeout import patient

CLOSE = {"Connection": "close"}


class BodyLimit:
    """ASGI middleware: 413 or 503 by the declared length at once, else while the body streams in.

    Args:
        app: What to protect.
        limit: Largest body, in bytes.
        in_flight: Most bytes of bodies at a time.
        timeout: Seconds that a body may stall.
        streamed: Paths that take a body of any length and see to all this, because they hold only a part at a time.
    """

    def __init__(
        self, app: ASGIApp, limit: int, in_flight: int, timeout: float, *, streamed: Collection[str] = ()
    ) -> None:
        self._app = app
        self._limit = limit
        self._timeout = timeout
        self._streamed = frozenset(streamed)
        self._bodies = BodyBudget(in_flight, "other")
        self._detail = f"The body is larger than {limit} bytes; send less, or in parts."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        length = _declared(request)
        with self._bodies.hold() as held:
            try:
                self._check(length)
            except PayloadTooLarge as error:
                await problem_response(request, error)(scope, receive, send)
                return
            await self._app(scope, self._limited(patient(receive, self._timeout, self._limit), held), send)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise PayloadTooLarge(self._detail, headers=CLOSE)

    def _limited(self, receive: Receive, held: HeldBody) -> Receive:
        read = 0

        async def limited() -> Message:
            nonlocal read
            try:
                message = await receive()
                read += len(message.get("body", b""))
                self._check(read)
                held.grow(read)
            except (PayloadTooLarge, RequestTimeout, Overloaded) as error:
                # FastAPI turns any error of a body but this class into 400; what is behind it is what the caller sees.
                raise HTTPException(error.status, error.detail) from error
            return message

        return limited


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0
