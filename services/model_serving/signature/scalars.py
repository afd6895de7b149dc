"""One column of JSON values to one numpy or Python column, for each scalar type of an MLflow signature.

A conversion may not lose anything: `1.9` is no integer, `"2.5"` is no number, `true` is no `1`. What MLflow's own
scoring server does instead (truncate, parse, cast) is the reason for this module.
"""

import base64
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Column: TypeAlias = npt.NDArray[np.generic] | list[object]
Report: TypeAlias = Callable[[int, str], None]
"""Called with the row and the message of a value that does not fit."""
Convert: TypeAlias = Callable[[Sequence[object], Report], Column]

_NONE = type(None)
_NUMBERS = frozenset({float, int})
_NUMBERS_OR_NULL = frozenset({float, int, _NONE})


def floats(dtype: npt.DTypeLike) -> Convert:
    """Return the conversion to a float column; null is a missing value (NaN)."""
    largest = float(np.finfo(dtype).max)

    def convert(values: Sequence[object], report: Report) -> Column:
        kinds = set(map(type, values))
        if kinds <= _NUMBERS_OR_NULL:
            try:
                column = np.array(values, dtype=np.float64)
            except OverflowError:  # an integer beyond 1e308; the loop below names its row
                column = np.full(len(values), np.inf)
            if not np.any(np.abs(column) > largest):
                return column.astype(dtype, copy=False)
        for row, value in enumerate(values):
            if type(value) not in _NUMBERS_OR_NULL:
                report(row, "must be a number or null")
            elif value is not None and abs(value) > largest:  # type: ignore[arg-type]  # a number, by the test above
                report(row, f"must be finite and within the range of {np.dtype(dtype).name}")
        return []

    return convert


def integers(dtype: npt.DTypeLike) -> Convert:
    """Return the conversion to an integer column; `2.0` is the integer 2, `1.9` is refused."""
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)

    def convert(values: Sequence[object], report: Report) -> Column:
        if set(map(type, values)) == {int} and low <= min(values) and max(values) <= high:  # type: ignore[type-var, operator]  # all integers
            return np.array(values, dtype=dtype)
        whole: list[int] = []
        for row, value in enumerate(values):
            if type(value) not in _NUMBERS:
                report(row, "must be an integer")
            elif isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
                report(row, "must be an integer, without a fraction")
            elif not low <= int(value) <= high:  # type: ignore[call-overload]  # a number, by the first test
                report(row, f"must be within the range of {np.dtype(dtype).name}")
            else:
                whole.append(int(value))  # type: ignore[call-overload]  # a number, by the first test
        return np.array(whole, dtype=dtype)

    return convert


def booleans(values: Sequence[object], report: Report) -> Column:
    """Convert to a boolean column."""
    if set(map(type, values)) <= {bool}:
        return np.array(values, dtype=np.bool_)
    for row, value in enumerate(values):
        if type(value) is not bool:
            report(row, "must be true or false")
    return []


def strings(values: Sequence[object], report: Report) -> Column:
    """Accept text or null."""
    if not set(map(type, values)) <= {str, _NONE}:
        for row, value in enumerate(values):
            if type(value) not in {str, _NONE}:
                report(row, "must be text or null")
    return list(values)


def blobs(values: Sequence[object], report: Report) -> Column:
    """Convert base64 text to bytes."""
    decoded: list[object] = []
    for row, value in enumerate(values):
        try:
            decoded.append(base64.b64decode(value, validate=True) if isinstance(value, str) else None)
        except ValueError:  # base64's own error, or that of a character beyond ASCII
            decoded.append(None)
        if decoded[-1] is None:
            report(row, "must be base64 text")
    return decoded


def datetimes(values: Sequence[object], report: Report) -> Column:
    """Convert ISO 8601 text without a time zone, or null, to nanoseconds."""
    moments: list[np.datetime64] = []
    for row, value in enumerate(values):
        moment = np.datetime64("NaT", "ns") if value is None else _moment(value)
        if moment is None:
            report(row, "must be an ISO 8601 date or time without a time zone, between 1678 and 2261")
        else:
            moments.append(moment)
    return np.array(moments, dtype="datetime64[ns]")


_FIRST, _LAST = datetime(1678, 1, 1), datetime(2262, 1, 1)  # noqa: DTZ001 (MLflow's datetime has no time zone)


def _moment(value: object) -> np.datetime64 | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is not None or not _FIRST <= moment < _LAST:
        return None
    return np.datetime64(moment, "ns")
