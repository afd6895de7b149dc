"""Say what is wrong with a request without repeating it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlplatform.errors.tree import BadRequest, FieldError, PlatformError, Unprocessable

FIELD_PART_LENGTH = 64
LISTED_ERRORS = 20
SECRET_LENGTH = 4
SEARCHED_VALUES = 1000
VALIDATORS = frozenset({"value_error", "assertion_error"})
GENERIC_MESSAGE = "is not valid"


def problem_of_validation(found: Sequence[Mapping[str, Any]]) -> PlatformError:
    """Turn pydantic's findings into a problem: 400 for a body that is no JSON, 422 for the rest.

    Args:
        found: `errors()` of a `RequestValidationError`. Their `input` and `ctx` hold the caller's data and are dropped.
    """
    if any(error["type"] == "json_invalid" for error in found):
        return BadRequest("The body is not valid JSON in UTF-8; NaN and Infinity are not JSON.")
    errors = [FieldError(_path(error["loc"]), _message(error)) for error in found[:LISTED_ERRORS]]
    more = f" The first {LISTED_ERRORS} of {len(found)} are listed." if len(found) > LISTED_ERRORS else ""
    return Unprocessable(f"The request is not valid; `errors` names the fields.{more}", errors=errors)


def _path(location: Sequence[int | str]) -> str:
    parts = (str(part)[:FIELD_PART_LENGTH] for part in location)
    return ".".join("".join(sign for sign in part if sign.isprintable()) for part in parts)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "union_tag_invalid":  # its own words repeat the tag that was sent
        return f"must be one of {error['ctx']['expected_tags']}"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] in VALIDATORS and any(text in message for text in _texts(error.get("input"))):
        return GENERIC_MESSAGE
    return message


def _texts(value: object) -> Iterator[str]:
    """The scalars of a refused value that are long enough to give something away, up to a bound."""
    seen = 0
    waiting = [value]
    while waiting and seen < SEARCHED_VALUES:
        seen += 1
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part[:SEARCHED_VALUES])
        elif part is not None and len(str(part)) >= SECRET_LENGTH:
            yield str(part)
