import httpx
import psycopg
import pytest
from fastapi import FastAPI, HTTPException
from psycopg.errors import NumericValueOutOfRange, QueryCanceled
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mlplatform import errors
from mlplatform.errors import PROBLEM_RESPONSES, Problem, install_problem_handlers

HIDDEN = "host=db.internal password=hunter2"


async def answer_to(error: Exception) -> httpx.Response:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        response = await client.get("/")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert HIDDEN not in response.text
    assert Problem.model_validate_json(response.content).status == response.status_code
    return response


class TestPlatformErrors:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (errors.BadRequest("x"), 400, "bad_request"),
            (errors.Unauthenticated("x"), 401, "unauthenticated"),
            (errors.Forbidden("x"), 403, "forbidden"),
            (errors.NotFound("x"), 404, "not_found"),
            (errors.Conflict("x"), 409, "conflict"),
            (errors.PayloadTooLarge("x"), 413, "payload_too_large"),
            (errors.UnsupportedMediaType("x"), 415, "unsupported_media_type"),
            (errors.Unprocessable("x"), 422, "unprocessable"),
            (errors.RateLimited("x"), 429, "rate_limited"),
            (errors.Overloaded("x"), 503, "overloaded"),
            (errors.DeadlineExceeded("x"), 504, "deadline_exceeded"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
    )
    async def test_status_and_code(self, error: errors.PlatformError, status: int, code: str) -> None:
        response = await answer_to(error)
        assert (response.status_code, response.json()["code"], response.json()["detail"]) == (status, code, "x")
        assert status in PROBLEM_RESPONSES

    async def test_dependency_is_named_and_may_be_tried_again(self) -> None:
        response = await answer_to(errors.DependencyUnavailable("mlflow"))
        assert response.json()["detail"] == "mlflow is unavailable; try again shortly."
        assert response.headers["Retry-After"] == "1"

    async def test_wrong_fields_and_headers(self) -> None:
        wrong = [errors.FieldError("body.a", "is missing")]
        response = await answer_to(errors.Unprocessable("x", errors=wrong, headers={"X-Hint": "y"}))
        assert response.json()["errors"] == [{"field": "body.a", "message": "is missing"}]
        assert response.headers["X-Hint"] == "y"


class TestErrorsOfDrivers:
    @pytest.mark.parametrize(
        ("error", "dependency"),
        [
            (psycopg.OperationalError(HIDDEN), "postgres"),
            (RedisConnectionError(HIDDEN), "redis"),
            (RedisTimeoutError(HIDDEN), "redis"),
        ],
        ids=["postgres", "redis", "redis-timeout"],
    )
    async def test_store_is_down(self, error: Exception, dependency: str) -> None:
        response = await answer_to(error)
        assert response.status_code == 503
        assert response.json()["code"] == "dependency_unavailable"
        assert dependency in response.json()["detail"]
        assert response.headers["Retry-After"] == "1"

    async def test_query_takes_too_long(self) -> None:
        assert (await answer_to(QueryCanceled(HIDDEN))).status_code == 504

    async def test_value_that_postgres_cannot_hold(self) -> None:
        assert (await answer_to(NumericValueOutOfRange(HIDDEN))).status_code == 422


class TestOtherErrors:
    async def test_unknown_error_tells_nothing(self) -> None:
        response = await answer_to(RuntimeError(HIDDEN))
        assert response.status_code == 500
        assert response.json()["code"] == "internal_error"

    async def test_http_exception_without_words_of_its_own(self) -> None:
        assert (await answer_to(HTTPException(404))).json()["detail"] == "Nothing is at this path."

    async def test_http_exception_of_another_status(self) -> None:
        response = await answer_to(HTTPException(418, "short and stout"))
        assert (response.json()["title"], response.json()["detail"]) == ("I'm a Teapot", "short and stout")
