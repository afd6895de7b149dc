"""What surrounds the handler of a direct route."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from logging import DEBUG
from time import perf_counter

from fastapi import FastAPI
from opentelemetry.context import attach, detach
from opentelemetry.trace import Status, StatusCode
from prometheus_client import Histogram
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from structlog import get_logger
from structlog.contextvars import bind_contextvars, clear_contextvars

from mlplatform.auth.access import admit
from mlplatform.errors import Overloaded, PayloadTooLarge, PlatformError, platform_error
from mlplatform.ratelimit.headers import STATE as LIMIT_HEADERS
from mlplatform.service.body_budget import BodyBudget, HeldBody
from mlplatform.service.body_timeout import patient
from mlplatform.service.caller import ClientGone, departure
from mlplatform.service.direct import DirectRequest, DirectResponse, DirectRoute
from mlplatform.service.direct_table import Match
from mlplatform.service.fields import Fields
from mlplatform.service.holds import Answer, Holds, target_of
from mlplatform.service.request_context import (
    CLIENT_CLOSED,
    REQUEST_ID_BYTES,
    SECURITY_HEADERS,
    request_id_of,
)
from mlplatform.telemetry import RequestSpans, request_spans
from mlplatform.telemetry.metrics import HTTP_DURATION

UNDER_LOAD = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
SECURITY = {name.lower(): value for name, value in SECURITY_HEADERS.items()}
SMALL_BODY = 64 * 1024
"""Bytes of a body that comes whole, nearly always: it is not worth a timer, and counts when it is there."""
NAMED = "{name}"
"""In the path of a route whose method and path say all of what is asked for."""
Pairs = tuple[tuple[str, str], ...]


class DirectServer:
    """Serves direct routes.

    Args:
        app: The service; its lifespan has set `app.state.kernel` before the first request.
        service: The service's name, for metrics.
        limit: Largest body, in bytes.
        in_flight: Most bytes of bodies at a time.
        timeout: Seconds that a body may stall.
    """

    def __init__(self, app: FastAPI, service: str, limit: int, in_flight: int, timeout: float) -> None:
        self._app = app
        self._service = service
        self._limit = limit
        self._timeout = timeout
        self._bodies = BodyBudget(in_flight, "direct")
        self._too_large = f"The body is larger than {limit} bytes; send less, or in parts."
        self._log = get_logger(__name__).bind()  # bound once: the unbound one is set up anew at each call
        self._spans: RequestSpans | None = None  # made at the first request: tracing starts with the application
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        self.holds = Holds()

    async def serve(self, match: Match, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begin = perf_counter()
        route, params = match
        fields: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # of a name that is there twice, the first
        request_id = request_id_of(fields.get(REQUEST_ID_BYTES))
        scope["app"] = self._app
        scope["route"] = route
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        status = CLIENT_CLOSED
        if self._spans is None:
            self._spans = request_spans(__name__)
        span, context = self._spans.start(f"{route.method} {route.path}", fields, _attributes(scope))
        token = attach(context)
        try:
            response = await self._answer(route, params, Request(scope, receive), fields)
            status = response.status
            await _send(response, request_id, state.get(LIMIT_HEADERS), send)
        except ClientGone:
            self._log.debug("client_gone", route=route.path)
        finally:
            detach(token)
            if span.is_recording():
                span.set_attributes({"http.route": route.path, "http.response.status_code": status})
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))
            span.end()
            self._count(route, status, perf_counter() - begin)

    async def _answer(
        self, route: DirectRoute, params: Mapping[str, str], request: Request, fields: dict[bytes, bytes]
    ) -> DirectResponse:
        request_id: str = request.scope["state"]["request_id"]
        try:
            principal = await admit(request, route.permission)
            with self._bodies.hold(principal.tenant) as held:
                body = await self._read(request, fields.get(b"content-length", b""), held)
                gone = departure(request.receive)
                return await route.handle(
                    DirectRequest(self._app, request.scope, params, Fields(fields), body, principal, request_id, gone)
                )
        except ClientGone:
            raise
        except Exception as error:  # noqa: BLE001 (the one handler of these routes; it logs what it does not know)
            known = platform_error(error)
            if isinstance(known, Overloaded) and known.lasts > 0 and NAMED in route.path:
                self._hold(route, known, request.scope)
            return _rendered(route, known, request_id)

    def _hold(self, route: DirectRoute, error: Overloaded, scope: Scope) -> None:
        told = Overloaded(error.detail, errors=error.errors, headers=error.headers)  # without the frames that raised it

        def answer(request_id: str) -> Answer:
            response = _rendered(route, told, request_id)
            return Answer(response.status, _headers(response, request_id, None), response.body)

        self.holds.add(target_of(scope), error.lasts, answer, lambda: self._count(route, told.status, 0.0))

    async def _read(self, request: Request, declared: bytes, held: HeldBody) -> bytes:
        receive = request.receive
        length = int(declared) if declared.isdigit() else self._limit
        if length > self._limit:
            raise PayloadTooLarge(self._too_large, headers={"Connection": "close"})
        if declared.isdigit() and length > SMALL_BODY:
            held.grow(length)
        if not declared.isdigit() or length > SMALL_BODY:
            receive = patient(receive, self._timeout, length)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part = message.get("body", b"")
            if not parts and not message.get("more_body"):
                held.grow(len(part))
                return part if len(part) <= self._limit else self._refuse()
            size += len(part)
            if size > self._limit:
                return self._refuse()
            held.grow(size)
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)

    def _refuse(self) -> bytes:
        raise PayloadTooLarge(self._too_large, headers={"Connection": "close"})

    def _count(self, route: DirectRoute, status: int, seconds: float) -> None:
        key = route.method, route.path, status
        duration = self._durations.get(key)
        if duration is None:
            duration = HTTP_DURATION.labels(self._service, route.method, route.path, str(status))
            self._durations[key] = duration
        duration.observe(seconds)
        # The rest is counted; at the default level a line for each would cost more than many an answer does, and a
        # line for each refusal would cost most when there is most to do.
        if status >= HTTPStatus.BAD_REQUEST and status not in UNDER_LOAD:
            self._log.info("request", method=route.method, route=route.path, status=status, latency_ms=_ms(seconds))
        elif self._log.is_enabled_for(DEBUG):
            self._log.debug("request", method=route.method, route=route.path, status=status, latency_ms=_ms(seconds))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _attributes(scope: Scope) -> Mapping[str, str]:
    return {
        "http.request.method": scope["method"],
        "url.scheme": scope.get("scheme", "http"),
        "url.path": scope["path"],
    }


def _headers_of(error: PlatformError) -> tuple[tuple[str, str], ...]:
    return tuple((error.headers or {}).items())


def _rendered(route: DirectRoute, error: PlatformError, request_id: str) -> DirectResponse:
    response = route.render_error(error, request_id)
    return DirectResponse(
        response.body, response.status, response.content_type, (*response.headers, *_headers_of(error))
    )


def _headers(
    response: DirectResponse, request_id: str, limit_headers: Mapping[str, str] | None
) -> list[tuple[bytes, bytes]]:
    return [
        *_encode(response.content_type, response.headers, tuple(limit_headers.items()) if limit_headers else ()),
        (b"content-length", b"%d" % len(response.body)),
        (REQUEST_ID_BYTES, request_id.encode("latin-1")),
    ]


async def _send(response: DirectResponse, request_id: str, limit_headers: Mapping[str, str] | None, send: Send) -> None:
    headers = _headers(response, request_id, limit_headers)
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


@lru_cache(1024)
def _encode(content_type: str, given: Pairs, limits: Pairs) -> list[tuple[bytes, bytes]]:
    """Encode headers; a later one replaces an earlier one of the same name."""
    fields = {"content-type": content_type, **SECURITY}
    fields.update((name.lower(), value) for name, value in (*limits, *given))
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
