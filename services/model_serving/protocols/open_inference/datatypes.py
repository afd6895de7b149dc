"""The protocol's types of tensors, numpy's, and MLflow's."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from mlflow.types.schema import DataType

BYTES = "BYTES"
NUMPY: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "BOOL": np.dtype(np.bool_),
        **{
            f"{sign}INT{bits}": np.dtype(f"<{letter}{bits // 8}")
            for sign, letter in (("", "i"), ("U", "u"))
            for bits in (8, 16, 32, 64)
        },
        **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    }
)
"""Type → numpy's; all but BYTES."""
_NAMES = {dtype.str: name for name, dtype in NUMPY.items()}
_COLUMNS = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}
_TYPE = re.compile(r"\b(holds|range of) (\w+)")


def name_of(dtype: np.dtype[Any]) -> str:
    """Return the type of an array; BYTES for all that is neither number nor truth."""
    return _NAMES.get(dtype.newbyteorder("<").str, BYTES)


def name_of_column(kind: object) -> str:
    """Return the type of a column of a signature; BYTES for text, bytes, moments, and lists and objects as JSON."""
    return _COLUMNS.get(kind, BYTES) if isinstance(kind, DataType) else BYTES


def translate(message: str) -> str:
    """Name numpy's types in an error as the protocol does."""
    return _TYPE.sub(lambda found: f"{found[1]} {_name_of(found[2])}", message)


def _name_of(numpy_name: str) -> str:
    try:
        return name_of(np.dtype(numpy_name))
    except TypeError:
        return numpy_name
