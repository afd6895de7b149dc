"""Tensors whose values follow the JSON, or come without any: little-endian, row after row."""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from mlplatform.errors import BadRequest
from services.model_serving.protocols.open_inference.datatypes import BYTES, NUMPY
from services.model_serving.protocols.open_inference.errors import InvalidTensor
from services.model_serving.protocols.open_inference.infer_request import Tensor

Array = npt.NDArray[Any]
HEADER = "Inference-Header-Content-Length"
_LENGTH = struct.Struct("<I")
MOST_DIGITS = 18


def split_body(body: bytes, declared: str | None) -> tuple[bytes, memoryview]:
    """Split a body into its JSON and what follows.

    Args:
        body: All of it.
        declared: The header that says where the JSON ends; None when the body is JSON and nothing else.

    Raises:
        BadRequest: the header is no length within the body.
    """
    if declared is None:
        return body, memoryview(b"")
    if not (declared.isascii() and declared.isdigit() and len(declared) <= MOST_DIGITS and int(declared) <= len(body)):
        raise BadRequest(f"The header {HEADER} must be the length of the JSON at the start of the body.")
    return body[: int(declared)], memoryview(body)[int(declared) :]


def cut(tensors: tuple[Tensor, ...], content: memoryview) -> dict[str, memoryview]:
    """Give each tensor that is not in the JSON its part of what follows.

    Raises:
        BadRequest: the parts are longer or shorter than what follows.
    """
    parts: dict[str, memoryview] = {}
    start = 0
    for tensor in tensors:
        if tensor.binary_size is not None:
            if tensor.binary_size > len(content) - start:
                message = f"is {tensor.binary_size}; only {len(content) - start} bytes are left of the body"
                raise InvalidTensor(f"{tensor.field}.parameters.binary_data_size", message)
            parts[tensor.name] = content[start : start + tensor.binary_size]
            start += tensor.binary_size
    if start != len(content):
        raise BadRequest(f"The body has {len(content) - start} bytes that belong to no input.")
    return parts


def read_binary_data(content: memoryview, datatype: str, shape: tuple[int, ...], size: int, field: str) -> Array:
    """Return a tensor, in memory of its own.

    Args:
        content: Its bytes.
        datatype: BYTES, or a key of `NUMPY`.
        shape: Of the tensor.
        size: Product of the shape.
        field: Its path, for errors.

    Raises:
        InvalidTensor: the bytes are not as many as the shape asks for, or are no values of the type.
    """
    if datatype == BYTES:
        return _read_texts(content, shape, size, field)
    dtype = NUMPY[datatype]
    if len(content) != size * dtype.itemsize:
        message = f"has {len(content)} bytes; its shape {list(shape)} of {datatype} asks for {size * dtype.itemsize}"
        raise InvalidTensor(field, message)
    if dtype.kind == "b" and size and np.frombuffer(content, np.uint8).max() > 1:
        raise InvalidTensor(field, "must have bytes of 0 or 1 for BOOL")
    # column-major as the engine wants a table; a copy, since the body is read-only and a tensor starts anywhere in it
    return np.array(np.frombuffer(content, dtype=dtype).reshape(shape), order="F" if len(shape) == 2 else "C")  # noqa: PLR2004


def _read_texts(content: memoryview, shape: tuple[int, ...], size: int, field: str) -> Array:
    wrong = InvalidTensor(field, f"must have {size} elements of BYTES, each its length in 4 bytes and then its bytes")
    if len(content) < size * _LENGTH.size:
        raise wrong
    array = np.empty(size, dtype=object)
    start, end = 0, len(content)
    for position in range(size):
        if start + _LENGTH.size > end:
            raise wrong
        (length,) = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        if length > end - start:
            raise wrong
        array[position] = bytes(content[start : start + length])
        start += length
    if start != end:
        raise wrong
    return array.reshape(shape)


def write_binary_data(array: Array) -> bytes:
    """Return the bytes of a tensor; elements of BYTES are `bytes`."""
    if array.dtype.kind != "O":
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    return b"".join(part for value in array.reshape(-1) for part in (_LENGTH.pack(len(value)), value))
