"""The body of `POST /v1/embeddings`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import orjson

from mlplatform.errors import BadRequest, FieldError, Unprocessable
from services.embedding.token_ids import Text

INPUT, MODEL, FORMAT, DIMENSIONS, USER = "input", "model", "encoding_format", "dimensions", "user"
KNOWN = frozenset({INPUT, MODEL, FORMAT, DIMENSIONS, USER})
FLOAT, BASE64 = "float", "base64"
NAME_LENGTH = 64
INPUT_FORMS = "must be a text, a list of texts, a list of token ids, or a list of lists of token ids"


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """What the caller wants.

    Attributes:
        texts: Of whatever number; not checked for what is in them.
        model: The name that the caller uses.
        base64: Whether vectors are wanted as base64 of little-endian float32.
        dimensions: Their length; None for the model's own.
    """

    texts: Sequence[Text]
    model: str
    base64: bool
    dimensions: int | None


def read_request(body: bytes) -> EmbeddingsRequest:
    """Read a body.

    Raises:
        BadRequest: It is no JSON.
        Unprocessable: It is not of the protocol; the error names the field.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is not valid JSON in UTF-8; NaN and Infinity are not JSON.") from error
    if not isinstance(content, dict):
        raise BadRequest("The body must be a JSON object.")
    for name in content:
        if name not in KNOWN:
            shown = "".join(sign for sign in name[:NAME_LENGTH] if sign.isprintable())
            _refuse(shown or "body", "is not an argument of this call")
    return EmbeddingsRequest(_input(content), _model(content), _format(content) == BASE64, _dimensions(content))


def _input(content: Mapping[str, object]) -> Sequence[Text]:
    given = content.get(INPUT)
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        _refuse(INPUT, INPUT_FORMS if INPUT in content else "is missing")
    if not given:
        _refuse(INPUT, "is empty")
    if all(type(part) is int for part in given):
        return [given]
    if not all(isinstance(part, str) for part in given) and not all(_is_ids(part) for part in given):
        _refuse(INPUT, INPUT_FORMS)
    return given


def _is_ids(part: object) -> bool:
    return isinstance(part, list) and all(type(number) is int for number in part)


def _model(content: Mapping[str, object]) -> str:
    model = content.get(MODEL)
    if not isinstance(model, str) or not model:
        _refuse(MODEL, "must be a model's name; GET /v1/models lists them")
    return model


def _format(content: Mapping[str, object]) -> object:
    wanted = content.get(FORMAT)
    if wanted is not None and wanted not in (FLOAT, BASE64):
        _refuse(FORMAT, "must be float or base64")
    return wanted


def _dimensions(content: Mapping[str, object]) -> int | None:
    wanted = content.get(DIMENSIONS)
    if wanted is None:
        return None
    if isinstance(wanted, float) and wanted.is_integer():
        return int(wanted)
    if type(wanted) is not int:
        _refuse(DIMENSIONS, "must be a whole number")
    return wanted


def _refuse(field: str, message: str) -> NoReturn:
    raise Unprocessable("The request is not valid.", errors=[FieldError(field, message)])
