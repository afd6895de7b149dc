"""Values in a form that `jsonb` takes."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

MOST_DEPTH = 100
"""Levels of lists and records; what lies deeper is no value of a model."""
INTEGER_END = 1 << 63


def storable(value: object, length: int | None = None, depth: int = 0) -> object:
    """Make a value storable, also within lists and records.

    Texts lose zero bytes, which `jsonb` does not know, and halves of surrogate pairs, which are no UTF-8; times become
    ISO 8601 and spans of time seconds; an integer beyond 64 bits becomes a float.

    Args:
        value: What to store.
        length: Signs of a text that are kept; all unless given.
        depth: Levels above the value.

    Raises:
        ValueError: it is nested too deeply.
        OverflowError: an integer is too large for a float.
    """
    if depth > MOST_DEPTH:
        raise ValueError(f"more than {MOST_DEPTH} levels of lists and records")
    if isinstance(value, str):
        return storable_text(value[:length])
    if isinstance(value, np.ndarray | np.generic):
        return storable(value.tolist(), length, depth + 1)
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable(one, length, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one, length, depth + 1) for one in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, int) and not -INTEGER_END <= value < INTEGER_END:
        return float(value)
    return value


def storable_text(text: str) -> str:
    """Replace what `jsonb` and UTF-8 do not know; the length stays."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
