"""Render every failure as RFC 9457 `application/problem+json`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg import DataError, OperationalError
from psycopg.errors import QueryCanceled
from pydantic import BaseModel, Field
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.exceptions import HTTPException
from structlog import get_logger

from mlplatform.errors import tree
from mlplatform.errors.validation import problem_of_validation

PROBLEM_TYPE = "application/problem+json"
LOGGED = "failure_logged"

log = get_logger(__name__)


class ProblemField(BaseModel):
    """One wrong field."""

    field: Annotated[str, Field(description="Path of the field, such as `body.inputs.0`.")]
    message: Annotated[str, Field(description="What is wrong with it.")]


class Problem(BaseModel):
    """A failure, as RFC 9457 describes it."""

    type: Annotated[str, Field(description="Always `about:blank`; `code` says which problem it is.")] = "about:blank"
    title: Annotated[str, Field(description="The status in words.")]
    status: int
    detail: Annotated[str, Field(description="What is wrong and how to mend it.")]
    code: Annotated[str, Field(description="The kind of problem, for programs.")]
    request_id: Annotated[str, Field(description="Under which the logs know this request.")]
    errors: Annotated[list[ProblemField], Field(description="The wrong fields of the request.")] = []


_KINDS: dict[int, type[tree.PlatformError]] = {
    kind.status: kind
    for kind in (
        tree.BadRequest,
        tree.Unauthenticated,
        tree.Forbidden,
        tree.NotFound,
        tree.MethodNotAllowed,
        tree.Conflict,
        tree.PayloadTooLarge,
        tree.UnsupportedMediaType,
        tree.Unprocessable,
        tree.RateLimited,
        tree.InternalError,
        tree.DependencyUnavailable,
        tree.DeadlineExceeded,
    )
}
_DETAILS = {
    404: "Nothing is at this path.",
    405: "The path does not take this method; the Allow header lists those.",
}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in _KINDS
}


def problem_body(error: tree.PlatformError, request_id: str) -> bytes:
    """Write an error as JSON."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": HTTPStatus(error.status).phrase,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "request_id": request_id,
            "errors": [{"field": wrong.field, "message": wrong.message} for wrong in error.errors],
        }
    )


def problem_response(request: Request, error: tree.PlatformError) -> Response:
    """Render an error for the caller."""
    body = problem_body(error, getattr(request.state, "request_id", ""))
    return Response(body, error.status, headers=error.headers, media_type=PROBLEM_TYPE)


def platform_error(error: Exception) -> tree.PlatformError:
    """Return what a caller is told of an error of whatever kind, and log what only the operator may know."""
    if isinstance(error, tree.DependencyUnavailable):
        log.warning("dependency_unavailable", dependency=error.dependency, cause=_cause(error.__cause__))
    if isinstance(error, tree.PlatformError):
        return error
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, tree.PlatformError):
            return error.__cause__
        return _problem_of_http(error.status_code, str(error.detail), error.headers)
    if isinstance(error, RequestValidationError):
        return problem_of_validation(error.errors())
    known = _problem_of_driver(error)
    if known is None:
        log.error("unhandled_error", exc_info=error)
        return tree.InternalError("The service failed; its log has the cause.")
    return known


def _problem_of_driver(error: Exception) -> tree.PlatformError | None:
    if isinstance(error, DataError):  # passed validation and has no room in Postgres, such as a NUL character in a text
        log.warning("value_refused", cause=_cause(error))
        return tree.Unprocessable("A value cannot be stored: texts have no NUL characters, numbers fit into 64 bits.")
    if isinstance(error, QueryCanceled):
        log.warning("dependency_unavailable", dependency="postgres", cause=_cause(error))
        return tree.DeadlineExceeded("The database took too long; ask for less.")
    if isinstance(error, OperationalError):
        log.warning("dependency_unavailable", dependency="postgres", cause=_cause(error))
        return tree.DependencyUnavailable("postgres")
    if isinstance(error, RedisConnectionError | RedisTimeoutError):
        log.warning("dependency_unavailable", dependency="redis", cause=_cause(error))
        return tree.DependencyUnavailable("redis")
    return None


def install_problem_handlers(app: FastAPI) -> None:
    """Make every failure of the application a problem."""
    for kind in (
        tree.PlatformError,
        HTTPException,
        RequestValidationError,
        OperationalError,
        DataError,
        RedisConnectionError,
        RedisTimeoutError,
    ):
        app.add_exception_handler(kind, _known_error)
    app.add_exception_handler(Exception, unknown_error)


async def _known_error(request: Request, error: Exception) -> Response:
    return problem_response(request, platform_error(error))


async def unknown_error(request: Request, error: Exception) -> Response:
    """Answer a fault of ours and log it once, whichever layers it passes."""
    if getattr(request.state, LOGGED, False):
        return problem_response(request, tree.InternalError("The service failed; its log has the cause."))
    setattr(request.state, LOGGED, True)
    return problem_response(request, platform_error(error))


def _problem_of_http(status: int, detail: str, headers: Mapping[str, str] | None) -> tree.PlatformError:
    phrase = HTTPStatus(status).phrase
    kind = _KINDS.get(status)
    if kind is None or kind is tree.DependencyUnavailable:
        code = phrase.lower().replace(" ", "_")
        kind = type("HttpProblem", (tree.PlatformError,), {"status": status, "code": code, "__doc__": phrase})
    return kind(_DETAILS.get(status, detail) if detail == phrase else detail, headers=headers)


def _cause(error: BaseException | None) -> str:
    """Name the class only: messages of drivers hold addresses and, some of them, parameters."""
    return type(error).__name__
