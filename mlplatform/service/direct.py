"""Routes that are served without FastAPI's machinery, for answers that cost less than that machinery does.

Validating a body with pydantic, resolving dependencies and walking through the layers of middleware takes longer than a
small model's prediction. A direct route gets the bytes of the body and gives the bytes of the answer. What surrounds it
is the same as for every other route: credentials, permissions, limits, metrics, traces, the request's id, and errors
that one handler renders. It is in the OpenAPI document too, by what it says of itself there.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import FastAPI
from starlette.types import Scope

from mlplatform.auth import Permission, Principal
from mlplatform.errors import PlatformError, problem_body
from mlplatform.service.caller import Wait, wait_forever

JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """A request whose caller is known and permitted.

    Attributes:
        app: The service.
        scope: As ASGI has it.
        params: The parameters of the path, decoded.
        headers: Of the request.
        body: All of it, within `ML_MAX_BODY_SIZE`.
        principal: The caller.
        request_id: Under which logs and traces know the request.
        gone: Returns when the caller has closed the connection; see `unless_gone`.
    """

    app: FastAPI
    scope: Scope
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    principal: Principal
    request_id: str
    gone: Wait = wait_forever


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """An answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class RenderError(Protocol):
    """Writes an error in a route's own protocol."""

    def __call__(self, error: PlatformError, request_id: str) -> DirectResponse:
        """Render; the headers of the error are added by the caller of this."""


def render_problem(error: PlatformError, request_id: str) -> DirectResponse:
    """Write an error as RFC 9457 `application/problem+json`."""
    return DirectResponse(problem_body(error, request_id), error.status, "application/problem+json")


@dataclass(frozen=True, slots=True)
class DirectRoute:
    """One method of one path.

    Attributes:
        method: GET or POST.
        path: Template, such as `/v2/models/{name}/infer`; a parameter is one segment.
        permission: What the caller must be permitted.
        handle: Answers; raises `PlatformError` for what is the caller's to know.
        render_error: Writes every error of the route, also those of the layers around it.
        openapi: The operation, as OpenAPI has it: `summary`, `description`, `requestBody`, `parameters`, `responses`.
        tags: Where the documentation lists it.
    """

    method: str
    path: str
    permission: Permission
    handle: Callable[[DirectRequest], Awaitable[DirectResponse]]
    render_error: RenderError = render_problem
    openapi: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
