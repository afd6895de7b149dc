"""What a model answered, as named tensors."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.engine.plain import render
from services.model_serving.errors import ModelFailedError
from services.model_serving.protocols.open_inference.model_tensors import OUTPUT, TensorMetadata, tensors_of

Array = npt.NDArray[Any]
COLUMN, TABLE = 1, 2
NUMBERS = "biuf"
DOUBLE = 8
_NUMBER_TYPES = (int, float, np.integer, np.floating, type(None))


def outputs_from(predictions: Any, model: LoadedModel) -> dict[str, Array]:  # noqa: ANN401 (a model may answer anything)
    """Return name → tensor: of numbers, or of `bytes`.

    Raises:
        ModelFailedError: the model answered something that is no tensor.
    """
    declared = tensors_of(model).outputs
    return {name: _typed(array) for name, array in _named(predictions, declared)}


def _named(predictions: Any, declared: list[TensorMetadata]) -> Iterable[tuple[str, Any]]:  # noqa: ANN401 (as above)
    first = declared[0].name if len(declared) == 1 else OUTPUT
    if isinstance(predictions, pd.DataFrame):
        return [(str(name), _column(predictions[name])) for name in predictions.columns]
    if isinstance(predictions, pd.Series):
        return [(first, _column(predictions))]
    if isinstance(predictions, dict):
        return [(str(name), _array(values)) for name, values in predictions.items()]
    array = _array(predictions)
    if len(declared) > 1 and array.ndim == TABLE and array.shape[1] == len(declared):
        return [(tensor.name, array[:, [position]]) for position, tensor in enumerate(declared)]
    if not array.size and len(declared) > 1:
        return [(tensor.name, array) for tensor in declared]
    if array.ndim == COLUMN and len(declared) == 1 and len(declared[0].shape) == TABLE:
        array = array.reshape(-1, 1)
    return [(first, array)]


def _column(column: "pd.Series[Any]") -> Array:
    return column.to_numpy().reshape(-1, 1)


def _array(values: Any) -> Array:  # noqa: ANN401 (a model may answer anything)
    if isinstance(values, np.ndarray):
        return values if values.ndim else values.reshape(1)
    if isinstance(values, pd.Series):
        return values.to_numpy()
    if not isinstance(values, list | tuple):
        values = [values]
    try:
        array = np.array(values)
    except ValueError:  # lists of different lengths
        array = _objects(values)
    if array.dtype.kind in NUMBERS or {type(value) for value in values} <= {str, bytes}:
        return array if array.dtype.kind in NUMBERS else _objects(values)
    return _objects(values)


def _objects(values: Any) -> Array:  # noqa: ANN401 (a model may answer anything)
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        array[position] = value
    return array


def _typed(array: Array) -> Array:
    """Return a tensor of a type that the protocol has."""
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize > DOUBLE:
        return array.astype(np.float64)
    if kind in NUMBERS:
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if kind == "M":
        return _bytes(np.datetime_as_string(array))
    if kind == "c":
        raise ModelFailedError("The model answered complex numbers, which the protocol does not have.")
    flat = array.reshape(-1).tolist()
    if kind == "O" and flat:
        kinds = set(map(type, flat))
        if kinds == {bool}:
            return array.astype(np.bool_)
        if all(issubclass(found, _NUMBER_TYPES) and found is not bool for found in kinds) and kinds != {type(None)}:
            return array.astype(np.float64 if kinds - {int} else np.int64)
    return _bytes(array)


def _bytes(array: Array) -> Array:
    flat = array.reshape(-1).tolist()
    found = np.empty(len(flat), dtype=object)
    for position, value in enumerate(flat):
        found[position] = _element(value)
    return found.reshape(array.shape)


def _element(value: Any) -> bytes:  # noqa: ANN401 (a model may answer anything)
    """Return text in UTF-8, bytes as they are, nothing for a missing value, and JSON of all else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if value is None or value is pd.NaT or value is pd.NA:
        return b""
    return orjson.dumps(value) if isinstance(value, int | float | bool) else render(value)
