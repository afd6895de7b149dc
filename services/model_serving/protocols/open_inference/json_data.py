"""Tensors whose values are in the JSON, flat or nested."""

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from services.model_serving.protocols.open_inference.datatypes import BYTES, NUMPY
from services.model_serving.protocols.open_inference.errors import InvalidTensor
from services.model_serving.protocols.open_inference.infer_request import Tensor

Array = npt.NDArray[Any]
_NONE = type(None)
_ALLOWED: dict[str, tuple[frozenset[type], str]] = {
    "f": (frozenset({float, int, _NONE}), "must be a number or null"),
    "i": (frozenset({int}), "must be an integer"),
    "u": (frozenset({int}), "must be an integer"),
    "b": (frozenset({bool}), "must be true or false"),
    "O": (frozenset({str}), "must be text"),
}


def read_json_data(tensor: Tensor) -> Array:
    """Return the tensor; null in a tensor of floats is NaN.

    Raises:
        InvalidTensor: the values have another type, or not the shape.
    """
    values = _flat(tensor)
    if tensor.datatype == BYTES:
        _check(tensor, values, "O")
        array = np.empty(len(values), dtype=object)
        array[:] = values
        return array.reshape(tensor.shape)
    dtype = NUMPY[tensor.datatype]
    if tensor.datatype == "FP16":
        raise InvalidTensor(f"{tensor.field}.data", "has no form in JSON for FP16: send it as binary data, or as FP32")
    _check(tensor, values, dtype.kind)
    try:
        array = np.array(values, dtype=np.float64 if dtype.kind == "f" else dtype)
    except OverflowError as error:
        raise InvalidTensor(f"{tensor.field}.data", f"must be within the range of {tensor.datatype}") from error
    if dtype.kind == "f" and np.any(np.abs(array) > np.finfo(dtype).max):
        raise InvalidTensor(f"{tensor.field}.data", f"must be finite and within the range of {tensor.datatype}")
    return array.astype(dtype, copy=False).reshape(tensor.shape)


def _flat(tensor: Tensor) -> list[Any]:
    field, values, shape = f"{tensor.field}.data", tensor.data, tensor.shape
    if not isinstance(values, list):
        raise InvalidTensor(field, "must be a list")
    depth = 0
    while values and type(values[0]) is list:
        depth += 1
        if depth >= len(shape) or set(map(type, values)) != {list} or set(map(len, values)) != {shape[depth]}:
            raise InvalidTensor(field, f"is nested in another way than its shape {list(shape)}")
        if depth == 1 and len(values) != shape[0]:
            raise InvalidTensor(field, f"has {len(values)} entries; its shape is {list(shape)}")
        values = list(chain.from_iterable(values))
    if depth and values and depth != len(shape) - 1:
        raise InvalidTensor(field, f"is nested in another way than its shape {list(shape)}")
    if len(values) != tensor.size:
        raise InvalidTensor(field, f"has {len(values)} values; its shape {list(shape)} asks for {tensor.size}")
    return values


def _check(tensor: Tensor, values: list[Any], kind: str) -> None:
    allowed, message = _ALLOWED[kind]
    if not set(map(type, values)) <= allowed:
        position = next(position for position, value in enumerate(values) if type(value) not in allowed)
        raise InvalidTensor(f"{tensor.field}.data.{position}", f"{message}: its datatype is {tensor.datatype}")
