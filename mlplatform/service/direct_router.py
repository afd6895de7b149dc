"""Direct routes as FastAPI knows them: for the document, for permissions, and for calls that need the middleware.

A browser's cross-origin call, a HEAD or an OPTIONS comes this way.
"""

from collections.abc import Sequence

from fastapi import Request, Response

from mlplatform.auth import require
from mlplatform.errors import PlatformError
from mlplatform.service.caller import ClientGone, departure
from mlplatform.service.direct import DirectRequest, DirectRoute
from mlplatform.service.json_route import Handler, JsonRoute, ServiceRouter
from mlplatform.service.request_context import CLIENT_CLOSED


def direct_router(routes: Sequence[DirectRoute]) -> ServiceRouter:
    """Return a router with all of them."""
    router = ServiceRouter()
    for route in routes:
        router.add_api_route(
            route.path,
            _endpoint(route),
            route_class_override=_route_class(route),
            methods=[route.method],
            dependencies=[require(route.permission)],
            response_class=Response,
            name=f"{route.method} {route.path}",
            operation_id=_operation_id(route),
            summary=route.openapi.get("summary"),
            description=route.openapi.get("description"),
            responses=dict(route.openapi.get("responses", {})),
            tags=list(route.tags),
            openapi_extra={key: value for key, value in route.openapi.items() if key not in HANDED_OVER},
        )
    return router


HANDED_OVER = frozenset({"summary", "description", "responses"})


def _operation_id(route: DirectRoute) -> str:
    words = "".join(sign if sign.isalnum() else " " for sign in route.path).split()
    if route.path.endswith("/"):
        words.append("slash")
    return "_".join([route.method.lower(), *words])


def _route_class(route: DirectRoute) -> type[JsonRoute]:
    class RenderedRoute(JsonRoute):
        """Writes errors in the route's own protocol, those of its credentials too."""

        def get_route_handler(self) -> Handler:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                try:
                    return await handler(request)
                except PlatformError as error:
                    answer = route.render_error(error, request.state.request_id)
                    headers = {**(error.headers or {}), **dict(answer.headers)}
                    return Response(answer.body, answer.status, headers, answer.content_type)

            return handle

    return RenderedRoute


def _endpoint(route: DirectRoute) -> Handler:
    async def endpoint(request: Request) -> Response:
        state = request.state
        given = DirectRequest(
            request.app,
            request.scope,
            request.path_params,
            request.headers,
            await request.body(),
            state.principal,
            state.request_id,
            departure(request.receive),
        )
        try:
            answer = await route.handle(given)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED)
        return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)

    return endpoint
