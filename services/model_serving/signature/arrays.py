"""Typed arrays to the types of a signature, without loss."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.types.schema import DataType

from services.model_serving.signature import scalars
from services.model_serving.signature.findings import Findings, refuse

Array = npt.NDArray[np.generic]
_NUMERIC: dict[DataType, np.dtype[Any]] = {
    DataType.double: np.dtype(np.float64),
    DataType.float: np.dtype(np.float32),
    DataType.long: np.dtype(np.int64),
    DataType.integer: np.dtype(np.int32),
    DataType.boolean: np.dtype(np.bool_),
}
_TEXTUAL: dict[DataType, scalars.Convert] = {
    DataType.string: scalars.strings,
    DataType.datetime: scalars.datetimes,
}


def cast_column(array: Array, kind: object, field: str) -> scalars.Column:
    """Convert one column.

    Args:
        array: `(rows,)` or `(rows, 1)`.
        kind: what the signature declares.
        field: how an error names the column.

    Raises:
        InvalidInputs: the array has another shape or type, or a value that the type cannot hold.
    """
    if array.ndim == 2 and array.shape[1] == 1:  # noqa: PLR2004 (a column vector)
        array = array[:, 0]
    if array.ndim != 1:
        raise refuse(field, f"has shape {array.shape}; a column has shape (rows,) or (rows, 1)")
    if isinstance(kind, DataType) and kind in _NUMERIC:
        return cast(array, _NUMERIC[kind], field)
    if array.dtype.kind != "O":
        raise refuse(field, f"holds {array.dtype.name}; the model takes {getattr(kind, 'name', kind)}")
    if kind is DataType.binary:
        return list(array)
    convert = _TEXTUAL.get(kind) if isinstance(kind, DataType) else None
    if convert is None:
        raise refuse(field, "is a list or an object for this model: send it as JSON, not as a typed array")
    findings = Findings()
    column = convert(array.tolist(), lambda row, message: findings.add(f"{field}.{row}", message))
    findings.raise_any()
    return column


def cast(array: Array, dtype: np.dtype[Any], field: str) -> Array:
    """Convert an array of any shape to a type that holds every value of it.

    Raises:
        InvalidInputs: a value does not fit, or text was sent for numbers.
    """
    check = _CHECKS.get(dtype.kind)
    if dtype.kind == "O" or check is None:
        if array.dtype.kind != "O":
            raise refuse(field, f"holds {array.dtype.name}; the model takes text")
        return array
    wrong = check(array, dtype)
    if wrong is not None:
        raise refuse(field, wrong)
    return array.astype(dtype, copy=False)


def _floats(array: Array, dtype: np.dtype[Any]) -> str | None:
    if array.dtype.kind not in "fiu":
        return f"holds {array.dtype.name}; the model takes numbers"
    if array.dtype.kind != "f":
        return None
    if np.isinf(array).any():
        return "must be finite: it holds an infinity"
    if array.dtype.itemsize > dtype.itemsize and np.any(np.abs(array) > np.finfo(dtype).max):
        return f"must be within the range of {dtype.name}"
    return None


def _integers(array: Array, dtype: np.dtype[Any]) -> str | None:
    if array.dtype.kind not in "fiu":
        return f"holds {array.dtype.name}; the model takes integers"
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and np.equal(np.floor(array), array).all()):
        return "must be integers, without a fraction"
    limits = np.iinfo(dtype)
    if array.size and not (limits.min <= int(array.min()) and int(array.max()) <= limits.max):
        return f"must be within the range of {dtype.name}"
    return None


def _booleans(array: Array, dtype: np.dtype[Any]) -> str | None:  # noqa: ARG001 (the common form)
    return None if array.dtype.kind == "b" else f"holds {array.dtype.name}; the model takes booleans"


_CHECKS: dict[str, Callable[[Array, np.dtype[Any]], str | None]] = {
    "f": _floats,
    "i": _integers,
    "u": _integers,
    "b": _booleans,
}
