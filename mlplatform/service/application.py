"""The application of a service: FastAPI, with direct routes before it."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from mlplatform.service.direct import DirectRoute
from mlplatform.service.direct_server import DirectServer
from mlplatform.service.direct_table import DirectTable
from mlplatform.service.holds import Holds


class Application(FastAPI):
    """FastAPI that lets direct routes answer before its own middleware is asked.

    Args:
        direct: Routes that are served without FastAPI's machinery.
        service: The service's name, for metrics.
        body_limit: Largest body, in bytes.
        bodies_limit: Most bytes of bodies at a time.
        body_timeout: Seconds that a body may stall.
        cross_origin: Whether browsers of other origins may call; such calls need the middleware.
        options: FastAPI's own.
    """

    def __init__(
        self,
        *,
        direct: Sequence[DirectRoute],
        service: str,
        body_limit: int,
        bodies_limit: int,
        body_timeout: float,
        cross_origin: bool,
        **options: Any,  # noqa: ANN401 - FastAPI's many options, passed on
    ) -> None:
        super().__init__(**options)
        self._table = DirectTable(direct)
        self._server = DirectServer(self, service, body_limit, bodies_limit, body_timeout)
        self._cross_origin = cross_origin

    @property
    def holds(self) -> Holds:
        """What direct routes refuse at the moment; asked by the protocol."""
        return self._server.holds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            match = self._table.find(scope["method"], scope["path"])
            if match is not None and not (self._cross_origin and _has_origin(scope)):
                await self._server.serve(match, scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def _has_origin(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])
