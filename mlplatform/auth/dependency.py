"""How a route states who may call it.

principal: Annotated[Principal, require(Permission.SEARCH)]     as a parameter of the endpoint
dependencies=[require(Permission.READ)]                         when the endpoint needs no principal
dependencies=[public()]                                         open on purpose
"""

import functools
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.dependencies.models import Dependant
from fastapi.security import APIKeyHeader, HTTPBearer

from mlplatform.auth.access import admit
from mlplatform.auth.authenticator import API_KEY_HEADER
from mlplatform.auth.principal import Principal
from mlplatform.auth.roles import Permission

# They only describe the headers in OpenAPI; the authenticator reads all of them, also those these would skip.
BEARER = HTTPBearer(scheme_name="bearer", bearerFormat="JWT", auto_error=False)
API_KEY = APIKeyHeader(name=API_KEY_HEADER, scheme_name="api_key", auto_error=False)


class Requirement:
    """A dependency that lets a caller with the permission through."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(
        self,
        request: Request,
        _bearer: Annotated[object, Security(BEARER)],
        _api_key: Annotated[object, Security(API_KEY)],
    ) -> Principal:
        """Return the caller; see :func:`mlplatform.auth.access.admit` for what is raised."""
        return await admit(request, self.permission)


class Opening:
    """A dependency that lets everybody through."""

    permission = Permission.PUBLIC

    async def __call__(self) -> None:
        """Do nothing."""


@functools.cache
def _requirement(permission: Permission) -> Requirement:
    return Requirement(permission)


_OPENING = Opening()


def require(permission: Permission) -> Any:  # noqa: ANN401 - FastAPI's own markers are typed so
    """The dependency that admits callers with the permission, and yields their principal.

    Raises:
        ValueError: the permission is PUBLIC, which `public()` states.
    """
    if permission is Permission.PUBLIC:
        raise ValueError("use public() for a route that is open on purpose")
    return Depends(_requirement(permission))


def public() -> Any:  # noqa: ANN401 - FastAPI's own markers are typed so
    """The dependency of a route that is open on purpose."""
    return Depends(_OPENING)


def route_permission(route: object) -> Permission | None:
    """Return what the route declares; None when it declares nothing.

    Args:
        route: a route of FastAPI, or a context from `fastapi.routing.iter_route_contexts(app.routes)`, which also
            knows the dependencies of the routers that include the route.

    Raises:
        ValueError: the route declares more than one.
    """
    dependant = getattr(route, "dependant", None)
    found = set(_declared(dependant)) if isinstance(dependant, Dependant) else set()
    if len(found) > 1:
        names = ", ".join(sorted(permission.value for permission in found))
        raise ValueError(f"{getattr(route, 'path', route)} declares more than one permission: {names}")
    return next(iter(found), None)


def _declared(dependant: Dependant) -> Iterator[Permission]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement | Opening):
            yield dependency.call.permission
        yield from _declared(dependency)
