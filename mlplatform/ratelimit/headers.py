"""Adds the limit's headers to every kind of answer."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATE = "rate_limit_headers"
"""Where in `request.state` the headers wait for the answer."""


class RateLimitHeaders:
    """ASGI middleware; a dependency alone cannot reach an endpoint's own response object or an error's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, adding the headers to the start of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_with_headers(message: Message) -> None:
            found = state.get(STATE)
            if found and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(found)
            await send(message)

        await self._app(scope, receive, send_with_headers)
