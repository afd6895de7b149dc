"""Every path of an application, with routers inside of routers resolved."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute


class RouteTable:
    """What paths there are, made once when all routers are included.

    Args:
        routes: `app.routes`.
    """

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        contexts = list(iter_route_contexts(list(routes)))
        self._templates = {id(context.original_route): context.path_format for context in contexts}
        self._methods = [(_pattern(context), context.methods) for context in contexts if context.methods]

    def template(self, scope: Mapping[str, Any]) -> str | None:
        """Return the template of the route that serves the request, such as `/models/{name}`; None without a route."""
        return self._templates.get(id(scope.get("route")))

    def allowed(self, path: str) -> str:
        """Return the Allow header of a path; empty when there is no such path."""
        methods = {method for pattern, names in self._methods if pattern.match(path) for method in names}
        if not methods:
            return ""
        return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))


def _pattern(context: RouteContext) -> re.Pattern[str]:
    pattern: re.Pattern[str] = context.path_regex
    return pattern
