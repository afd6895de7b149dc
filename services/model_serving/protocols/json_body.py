"""JSON of a caller to Python, without the silence of most readers about a key that is there twice."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import orjson

from mlplatform.errors import BadRequest

NO_JSON = "The body is not valid JSON in UTF-8."
TOO_DEEP = "The body is nested too deeply."
NOT_FINITE = (b"NaN", b"Infinity")
TOO_LARGE = "number is infinity"
"""What orjson says of a number beyond 1e308."""
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""How a body can write half a character in ASCII."""
SAFE_DIGITS = 19
"""A sign and as many digits as 64 bits hold in any case."""


class RepeatedKey(BadRequest):
    """An object of the body has one key twice; which of the two is meant, nobody can know."""

    def __init__(self) -> None:
        super().__init__("An object in the body has a key twice; send each key once.")


def read_json_body(body: bytes, *, not_finite: bool = False) -> Any:  # noqa: ANN401 (JSON)
    """Read a body.

    Args:
        body: As the caller sent it.
        not_finite: Accept NaN, which becomes null, and Infinity: JSON does not have them, and Python writes them.

    Raises:
        BadRequest: It is no JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not_finite and any(word in body for word in NOT_FINITE):
            return _read_slowly(body, _constant)
        if TOO_LARGE in str(error):  # it becomes an infinity, so that the signature can say where it is
            return _read_slowly(body, _refuse_constant)
        raise BadRequest(f"{NO_JSON} NaN and Infinity are not JSON.") from error


def refuse_repeated_keys(body: bytes, objects: Iterable[object]) -> None:
    """Refuse a body in which an object has a key twice.

    Each key in the text has a colon of its own. As many colons as there are keys after reading mean that none was lost;
    only when there are more, because a text holds one or a key was lost, the body is read once more.

    Args:
        body: As the caller sent it, read without an error.
        objects: The dictionaries that came out of it; the more of them, the rarer the second reading.

    Raises:
        RepeatedKey: There is such a key.
    """
    keys = sum(len(found) for found in objects if isinstance(found, dict))
    if body.count(b":") != keys:
        _read_slowly(body, _constant)


def _read_slowly(body: bytes, constant: Callable[[str], float | None]) -> Any:  # noqa: ANN401 (JSON)
    try:
        text = body.decode()  # json's own decoding takes half characters and other encodings
        found = json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=constant)
        if SURROGATE.search(body):  # half a character may have come of it, which no answer could repeat
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise BadRequest(TOO_DEEP) from error
    except ValueError as error:  # of the text or of its encoding
        raise BadRequest(NO_JSON) from error
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedKey
    return found


def _integer(digits: str) -> int | float:
    """Read as orjson does: what 64 bits do not hold is a float."""
    return int(digits) if len(digits) <= SAFE_DIGITS else float(digits)


def _constant(word: str) -> float | None:
    return None if word == "NaN" else float(word)


def _refuse_constant(word: str) -> NoReturn:
    raise BadRequest(f"{NO_JSON} {word.removeprefix('-')} is not JSON.")
