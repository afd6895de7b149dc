"""Errors as MLflow's scoring server writes them."""

from collections.abc import Sequence

import orjson

from mlplatform.errors import FieldError, PlatformError, UnsupportedMediaType
from mlplatform.service import DirectResponse
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.naming import sentence

BAD_REQUEST, INVALID_PARAMETER_VALUE = "BAD_REQUEST", "INVALID_PARAMETER_VALUE"
CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    413: BAD_REQUEST,
    422: BAD_REQUEST,
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
STATUS_OF_INPUTS = 400
PARAMS = "params"
OF_A_VALUE = "must be"


def render_error(error: PlatformError, request_id: str) -> DirectResponse:
    """Write an error; neither rows nor stack traces are in it."""
    if isinstance(error, UnsupportedMediaType):
        return DirectResponse(error.detail.encode(), error.status, "text/plain; charset=utf-8")
    if isinstance(error, InvalidInputs):
        found: dict[str, object] = {"error_code": _code_of(error.errors), "message": sentence(error.errors)}
        found["errors"] = [{"field": wrong.field, "message": wrong.message} for wrong in error.errors]
    else:
        found = {"error_code": CODES.get(error.status, BAD_REQUEST), "message": error.detail}
    status = STATUS_OF_INPUTS if error.status == 422 else error.status  # noqa: PLR2004 (stock has no 422)
    return DirectResponse(orjson.dumps(found | {"request_id": request_id}), status)


def _code_of(errors: Sequence[FieldError]) -> str:
    """Tell values that cannot be converted from tables that do not fit the signature, as the stock server does."""
    values = all(wrong.message.startswith(OF_A_VALUE) and not wrong.field.startswith(PARAMS) for wrong in errors)
    return BAD_REQUEST if values else INVALID_PARAMETER_VALUE
