"""What Postgres can store as text and as JSON."""

import math
from collections.abc import Mapping
from typing import Any

from mlplatform.embedders.content import NOTHING, has_content

NUL = "\x00"
DEPTH = 8


def check_text(text: str) -> str:
    """Return the text when Postgres can store it.

    Raises:
        ValueError: It holds a NUL character.
    """
    if NUL in text:
        raise ValueError("holds a NUL character, which cannot be stored")
    return text


def check_not_blank(text: str) -> str:
    """Return the text when there is something in it.

    Raises:
        ValueError: It is white space and control characters.
    """
    if not has_content(text):
        raise ValueError(NOTHING)
    return text


def check_bound(value: object) -> object:
    """Return a value that others can be greater or less than.

    Raises:
        ValueError: It is neither a number nor a text.
    """
    if type(value) not in {int, float, str}:
        raise ValueError("must be a number or a text: nothing else has an order")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is a number that is too large")
    return check_text(value) if isinstance(value, str) else value


def check_json(value: Any, depth: int = DEPTH) -> None:  # noqa: ANN401 - any JSON value
    """Accept a JSON value that Postgres can store.

    Args:
        value: What orjson read.
        depth: Levels that it may have.

    Raises:
        ValueError: It holds a NUL character, a number that is none, or is nested too deeply.
    """
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is too large")
    elif isinstance(value, Mapping | list):
        if depth == 0:
            raise ValueError(f"is nested more than {DEPTH} levels deep")
        if isinstance(value, Mapping):
            for key in value:
                check_text(key)
        for part in value.values() if isinstance(value, Mapping) else value:
            check_json(part, depth - 1)


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of an item when Postgres can store it.

    Raises:
        ValueError: See `check_json`.
    """
    check_json(metadata)
    return metadata
