"""Tensors of a request to what a model is called with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from mlflow.types.schema import DataType

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.open_inference.errors import InvalidTensor
from services.model_serving.protocols.open_inference.model_tensors import tensors_of
from services.model_serving.signature import ModelInput
from services.model_serving.signature.columns import ColumnSignature
from services.model_serving.signature.compiled import UndeclaredInputs

Array = npt.NDArray[Any]
COLUMN_DIMENSIONS, TABLE_DIMENSIONS = 1, 2
AS_TABLE = "pd"
"""Content type by which a caller asks for a DataFrame, where a model does not say what it takes."""


def read_tensors(model: LoadedModel, arrays: Mapping[str, Array], content_type: object) -> ModelInput:
    """Read one tensor per column, one of a whole table by position, or tensors by name.

    Args:
        model: Whose signature they must fit.
        arrays: Name → tensor; those of BYTES hold text or bytes.
        content_type: What the request says of its tensors, for a model without a signature.

    Raises:
        InvalidInputs: they do not fit.
        InvalidTensor: bytes are no text where the model takes text.
    """
    reader = model.signature.inputs
    if isinstance(reader, ColumnSignature):
        return _read_columns(model, reader, arrays)
    texts = {name: _texts(name, array) for name, array in arrays.items()}
    if not isinstance(reader, UndeclaredInputs):
        return reader.read_arrays(texts)
    if model.declared is not None and model.declared.inputs is not None:
        return reader.read(_rows(texts))
    if len(texts) == 1 and content_type != AS_TABLE:
        return reader.read_arrays(next(iter(texts.values())))
    return reader.read_arrays(texts)


def _read_columns(model: LoadedModel, reader: ColumnSignature, arrays: Mapping[str, Array]) -> ModelInput:
    kinds = tensors_of(model).kinds
    if len(arrays) == 1:
        name, array = next(iter(arrays.items()))
        if name not in kinds:
            table = array.reshape(-1, 1) if array.ndim == COLUMN_DIMENSIONS else array
            return reader.read_arrays(_texts(name, table))
    if any(name in arrays and not isinstance(kind, DataType) for name, kind in kinds.items()):
        return reader.read({name: _values(name, array, kinds.get(name)) for name, array in arrays.items()})
    columns = {
        name: array if kinds.get(name) is DataType.binary else _texts(name, array) for name, array in arrays.items()
    }
    return reader.read_arrays({name: _encoded(column, kinds.get(name)) for name, column in columns.items()})


def _encoded(array: Array, kind: object) -> Array:
    """Return a column of bytes where the model takes bytes, also when they came as text."""
    if kind is not DataType.binary or array.dtype.kind != "O":
        return array
    values = [value.encode() if isinstance(value, str) else value for value in array.reshape(-1)]
    return _objects(values, array.shape)


def _texts(name: str, array: Array) -> Array:
    """Return a tensor with text in place of bytes."""
    if array.dtype.kind != "O":
        return array
    try:
        values = [value.decode() if isinstance(value, bytes) else value for value in array.reshape(-1)]
    except UnicodeDecodeError as error:
        raise InvalidTensor(f"inputs.{name}", "must be text in UTF-8") from error
    return _objects(values, array.shape)


def _values(name: str, array: Array, kind: object) -> list[Any]:
    """Return the values of a column; lists and objects are read from their JSON."""
    flat = _texts(name, array).reshape(-1).tolist()
    if isinstance(kind, DataType) or array.dtype.kind != "O":
        return flat
    try:
        return [orjson.loads(value) for value in flat]
    except orjson.JSONDecodeError as error:
        raise InvalidTensor(
            f"inputs.{name}", "must hold JSON in each element, for the model takes lists or objects"
        ) from error


def _rows(arrays: Mapping[str, Array]) -> list[Any]:
    if len(arrays) == 1:
        return next(iter(arrays.values())).reshape(-1).tolist()
    columns = [array.reshape(-1).tolist() for array in arrays.values()]
    return [dict(zip(arrays, row, strict=False)) for row in zip(*columns, strict=False)]


def _objects(values: list[Any], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array.reshape(shape)
