"""Make the FastAPI application of a service."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.middleware.errors import ServerErrorMiddleware

import mlplatform
from mlplatform.errors import install_problem_handlers, unknown_error
from mlplatform.ratelimit.headers import RateLimitHeaders
from mlplatform.service.application import Application
from mlplatform.service.body_limit import BodyLimit
from mlplatform.service.direct import DirectRoute
from mlplatform.service.direct_router import direct_router
from mlplatform.service.docs import serve_docs
from mlplatform.service.json_route import JsonRoute
from mlplatform.service.methods import Methods
from mlplatform.service.openapi import document_problems
from mlplatform.service.request_context import REQUEST_ID_HEADER, RequestContext, is_quiet
from mlplatform.service.route_table import RouteTable
from mlplatform.service.routes import common_routes
from mlplatform.settings import PlatformSettings
from mlplatform.telemetry import flush_traces, start_tracing

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

CORS_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-API-Key",
    REQUEST_ID_HEADER,
    "traceparent",
)
CORS_ANSWER_HEADERS = (
    REQUEST_ID_HEADER,
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Model-Name",
    "X-Model-Route",
    "X-Model-Version",
)


def create_service(
    *,
    settings: PlatformSettings,
    title: str,
    description: str,
    lifespan: Lifespan,
    routers: Sequence[APIRouter],
    direct: Sequence[DirectRoute] = (),
    streamed: Collection[str] = (),
    name: str | None = None,
) -> FastAPI:
    """Make an application with everything services have in common.

    Args:
        settings: Settings of the service.
        title: Its name for people.
        description: What it does, in Markdown.
        lifespan: Opens what the service needs and sets `app.state.kernel`.
        routers: Its routes; made by `ServiceRouter`.
        direct: Its routes that are served without FastAPI's machinery.
        streamed: Paths that read their body in parts, however long it is.
        name: Its name in logs, metrics and traces; the title in lower case with dashes unless told.

    Raises:
        TypeError: A route is not of `ServiceRouter`, so its JSON would be read by other rules.
    """
    service = name or re.sub(r"\W+", "-", title.lower())
    app = Application(
        direct=direct,
        service=service,
        body_limit=int(settings.max_body_size),
        bodies_limit=int(settings.max_body_bytes_in_flight),
        body_timeout=settings.body_timeout.total_seconds(),
        cross_origin=bool(settings.cors_origins),
        title=title,
        description=description,
        version=mlplatform.__version__,
        lifespan=_traced(lifespan, settings, service),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": _is_untraced,
        },
    )
    serve_docs(app)
    for router in (common_routes(service), direct_router(direct), *routers):
        # To include it would build each of its routes once more: nothing of the application's own applies to them.
        app.router.routes.extend(router.routes)
    _refuse_foreign_routes(app)
    install_problem_handlers(app)
    document_problems(app)
    _add_middleware(app, settings, service, streamed)
    return app


def _add_middleware(app: FastAPI, settings: PlatformSettings, service: str, streamed: Collection[str]) -> None:
    """Add the layers, innermost first."""
    table = RouteTable(app.routes)
    # Starlette's own layer for unknown errors is outside of all these, so its answer would lack their headers.
    app.add_middleware(ServerErrorMiddleware, handler=unknown_error)
    app.add_middleware(
        BodyLimit,
        limit=int(settings.max_body_size),
        in_flight=int(settings.max_body_bytes_in_flight),
        timeout=settings.body_timeout.total_seconds(),
        streamed=streamed,
    )
    app.add_middleware(Methods, table=table)
    app.add_middleware(RateLimitHeaders)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=CORS_REQUEST_HEADERS,
            expose_headers=CORS_ANSWER_HEADERS,
        )
    app.add_middleware(RequestContext, service=service, table=table)


def _traced(lifespan: Lifespan, settings: PlatformSettings, service: str) -> Lifespan:
    @asynccontextmanager
    async def traced(app: FastAPI) -> AsyncIterator[None]:
        start_tracing(settings, service)
        async with lifespan(app):
            yield
        await asyncio.to_thread(flush_traces)

    return traced


def _is_untraced(scope: Any) -> bool:  # noqa: ANN401 - the signature is FastAPI's
    return is_quiet(str(scope.get("path", "")))


def _refuse_foreign_routes(app: FastAPI) -> None:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and not isinstance(route, JsonRoute):
            raise TypeError(f"the router of {route.path} must be a mlplatform.service.ServiceRouter")
