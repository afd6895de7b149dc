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


def problem_response(request: Request, error: tree.PlatformError) -> Response:
    """Render an error for the caller."""
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": getattr(request.state, "request_id", ""),
        "errors": [{"field": wrong.field, "message": wrong.message} for wrong in error.errors],
    }
    return Response(orjson.dumps(problem), error.status, headers=error.headers, media_type=PROBLEM_TYPE)


def install_problem_handlers(app: FastAPI) -> None:
    """Make every failure of the application a problem."""
    app.add_exception_handler(tree.PlatformError, _platform_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(OperationalError, _postgres_error)
    app.add_exception_handler(DataError, _refused_value)
    app.add_exception_handler(RedisConnectionError, _redis_error)
    app.add_exception_handler(RedisTimeoutError, _redis_error)
    app.add_exception_handler(Exception, unknown_error)


async def _platform_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, tree.PlatformError):
        raise error
    if isinstance(error, tree.DependencyUnavailable):
        log.warning("dependency_unavailable", dependency=error.dependency, cause=_cause(error.__cause__))
    return problem_response(request, error)


async def _http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem_response(request, _problem_of_http(error.status_code, str(error.detail), error.headers))


def _problem_of_http(status: int, detail: str, headers: Mapping[str, str] | None) -> tree.PlatformError:
    phrase = HTTPStatus(status).phrase
    kind = _KINDS.get(status)
    if kind is None or kind is tree.DependencyUnavailable:
        code = phrase.lower().replace(" ", "_")
        kind = type("HttpProblem", (tree.PlatformError,), {"status": status, "code": code, "__doc__": phrase})
    return kind(_DETAILS.get(status, detail) if detail == phrase else detail, headers=headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem_response(request, problem_of_validation(error.errors()))


async def _postgres_error(request: Request, error: Exception) -> Response:
    log.warning("dependency_unavailable", dependency="postgres", cause=_cause(error))
    if isinstance(error, QueryCanceled):
        return problem_response(request, tree.DeadlineExceeded("The database took too long; ask for less."))
    return problem_response(request, tree.DependencyUnavailable("postgres"))


async def _refused_value(request: Request, error: Exception) -> Response:
    """A value that passed validation and that Postgres has no room for, such as a NUL character in a text."""
    log.warning("value_refused", cause=_cause(error))
    detail = "A value cannot be stored: texts have no NUL characters, and numbers fit into 64 bits."
    return problem_response(request, tree.Unprocessable(detail))


async def _redis_error(request: Request, error: Exception) -> Response:
    log.warning("dependency_unavailable", dependency="redis", cause=_cause(error))
    return problem_response(request, tree.DependencyUnavailable("redis"))


async def unknown_error(request: Request, error: Exception) -> Response:
    """Answer a fault of ours and log it once, whichever layers it passes."""
    if not getattr(request.state, LOGGED, False):
        setattr(request.state, LOGGED, True)
        log.error("unhandled_error", exc_info=error)
    return problem_response(request, tree.InternalError("The service failed; its log has the cause."))


def _cause(error: BaseException | None) -> str:
    """Name the class only: messages of drivers hold addresses and, some of them, parameters."""
    return type(error).__name__
