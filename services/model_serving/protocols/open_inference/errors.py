"""Errors as the protocol writes them: one text."""

import orjson

from mlplatform.errors import BadRequest, FieldError, PlatformError
from mlplatform.service import DirectResponse
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.naming import sentence
from services.model_serving.protocols.open_inference.datatypes import translate

STATUS_OF_INPUTS = 400
SHOWN = 64


class InvalidTensor(BadRequest):
    """A part of the request is not of the protocol.

    Args:
        field: Which, as a path.
        message: What is wrong, without the caller's values.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")


def field_of(kind: str, position: int, name: object) -> str:
    """Return the path of a tensor, by its name if that can be shown."""
    shown = isinstance(name, str) and 0 < len(name) <= SHOWN and name.isprintable()
    return f"{kind}.{name if shown else position}"


def render_error(error: PlatformError, request_id: str) -> DirectResponse:  # noqa: ARG001 (a header has the id)
    """Write an error."""
    text = error.detail
    if isinstance(error, InvalidInputs):
        text = sentence([FieldError(wrong.field, translate(wrong.message)) for wrong in error.errors])
    status = STATUS_OF_INPUTS if error.status == 422 else error.status  # noqa: PLR2004 (the protocol has no 422)
    return DirectResponse(orjson.dumps({"error": text}), status)
