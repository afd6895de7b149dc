"""What surrounds every request: its id, its place in logs and metrics, and headers of the answer."""

import os
import re
from random import Random
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger
from structlog.contextvars import bind_contextvars, clear_contextvars

from mlplatform.service.route_table import RouteTable
from mlplatform.telemetry.metrics import observe_request

REQUEST_ID_HEADER = "X-Request-ID"
REQUEST_ID_BYTES = REQUEST_ID_HEADER.lower().encode()
"""As ASGI has it."""
CLIENT_CLOSED = 499
QUIET_PATHS = ("/health", "/metrics")
SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# Not the module's own generator, which models may seed; and not urandom, which asks the kernel for each request.
_ids = Random()  # noqa: S311 (an id names a request and guards nothing)
os.register_at_fork(after_in_child=_ids.seed)

log = get_logger(__name__)


def is_quiet(path: str) -> bool:
    """Whether probes poll this path, so that logging and tracing it would drown the rest."""
    return any(path == quiet or path.startswith(f"{quiet}/") for quiet in QUIET_PATHS)


class RequestContext:
    """ASGI middleware, the outermost of a service.

    Args:
        app: The application inside.
        service: The service's name, for metrics.
        table: The paths of the service.
    """

    def __init__(self, app: ASGIApp, service: str, table: RouteTable) -> None:
        self._app = app
        self._service = service
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(dict(scope["headers"]).get(REQUEST_ID_BYTES))
        scope.setdefault("state", {})["request_id"] = request_id
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        status = CLIENT_CLOSED
        begin = perf_counter()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._finish(scope, status, perf_counter() - begin)

    def _finish(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._table.template(scope)
        observe_request(service=self._service, method=scope["method"], route=route, status=status, seconds=seconds)
        write = log.debug if is_quiet(scope["path"]) else log.info
        write(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            latency_ms=round(seconds * 1000, 3),
        )


def request_id_of(given: bytes | None) -> str:
    """Return the client's id when it is harmless in logs and headers, else a new one."""
    if given is not None and _SAFE_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{_ids.getrandbits(128):032x}"
