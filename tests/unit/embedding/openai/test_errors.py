import orjson
import pytest

from mlplatform.errors import (
    BadRequest,
    DependencyUnavailable,
    FieldError,
    InternalError,
    PayloadTooLarge,
    PlatformError,
    RateLimited,
    Unauthenticated,
    Unprocessable,
)
from services.embedding.errors import ModelNotServed, QueueFull
from services.embedding.openai.errors import render_error


def rendered(error: PlatformError) -> tuple[int, dict[str, object]]:
    answer = render_error(error, "call-7")
    content = orjson.loads(answer.body)
    assert content["request_id"] == "call-7"
    return answer.status, content["error"]


class TestRenderError:
    @pytest.mark.parametrize(
        ("error", "status", "kind", "code"),
        [
            (BadRequest("x"), 400, "invalid_request_error", None),
            (Unprocessable("x"), 400, "invalid_request_error", "invalid_value"),
            (Unauthenticated("x"), 401, "authentication_error", "invalid_api_key"),
            (ModelNotServed("x"), 404, "invalid_request_error", "model_not_found"),
            (PayloadTooLarge("x"), 413, "invalid_request_error", "payload_too_large"),
            (RateLimited("x"), 429, "rate_limit_error", "rate_limit_exceeded"),
            (QueueFull(), 429, "rate_limit_error", "queue_full"),
            (InternalError("x"), 500, "server_error", "internal_error"),
            (DependencyUnavailable("model"), 503, "server_error", "dependency_unavailable"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, PlatformError) else None,
    )
    def test_each_kind_has_the_status_and_the_words_that_clients_know(self, error, status, kind, code):
        found_status, found = rendered(error)

        assert (found_status, found["type"], found["code"]) == (status, kind, code)

    def test_the_wrong_argument_is_named(self):
        wrong = [FieldError(f"input.{position}", "is empty") for position in range(7)]
        _, found = rendered(Unprocessable("Some texts cannot be embedded.", errors=wrong))

        assert found["param"] == "input"
        assert str(found["message"]).startswith("input.0 is empty; ")
        assert str(found["message"]).endswith("; and 2 more")
