"""Errors as the OpenAI API writes them."""

import orjson

from mlplatform.errors import PlatformError
from mlplatform.service import DirectResponse

INVALID_REQUEST = "invalid_request_error"
STATUS_OF_INPUTS = 400
UNPROCESSABLE = 422
SERVER_ERRORS = 500
SHOWN_ERRORS = 5
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES = {
    "bad_request": None,
    "unprocessable": "invalid_value",
    "unauthenticated": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
}
"""What clients look for, where the platform has another word."""


def render_error(error: PlatformError, request_id: str) -> DirectResponse:
    """Write an error; the caller's data is not in it."""
    found = {
        "message": _message(error),
        "type": "server_error" if error.status >= SERVER_ERRORS else KINDS.get(error.status, INVALID_REQUEST),
        "param": error.errors[0].field.partition(".")[0] if error.errors else None,
        "code": CODES.get(error.code, error.code),
    }
    # The API has no 422; a client would not know it for its caller's fault.
    status = STATUS_OF_INPUTS if error.status == UNPROCESSABLE else error.status
    return DirectResponse(orjson.dumps({"error": found, "request_id": request_id}), status)


def _message(error: PlatformError) -> str:
    """Put the fields into the message, since the protocol has no list of them."""
    if not error.errors:
        return error.detail
    shown = "; ".join(f"{wrong.field} {wrong.message}" for wrong in error.errors[:SHOWN_ERRORS])
    more = len(error.errors) - SHOWN_ERRORS
    return f"{shown}; and {more} more" if more > 0 else shown
