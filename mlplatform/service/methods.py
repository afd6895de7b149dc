"""HEAD and OPTIONS for every path, and a complete Allow header on 405."""

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlplatform.service.route_table import RouteTable


class Methods:
    """ASGI middleware: answers OPTIONS, serves HEAD as GET without the body, completes Allow.

    FastAPI serves HEAD nowhere, and names in Allow only the methods of the first route at the path.

    Args:
        app: The application inside.
        table: The paths of the service.
    """

    def __init__(self, app: ASGIApp, table: RouteTable) -> None:
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (allowed := self._table.allowed(scope["path"])):
            await Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._serve_head(scope, receive, send)
        else:
            await self._app(scope, receive, self._completing(scope, send))

    async def _serve_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = {**scope, "method": "GET"}

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(inner, receive, self._completing(scope, without_body))
        scope["route"] = inner.get("route")  # for the metrics, which see the outer scope

    def _completing(self, scope: Scope, send: Send) -> Send:
        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
                MutableHeaders(scope=message)["Allow"] = self._table.allowed(scope["path"])
            await send(message)

        return complete
