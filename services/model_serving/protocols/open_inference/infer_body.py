"""The body of an inference request, read once its model is known."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mlplatform.errors import BadRequest
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.naming import renamed
from services.model_serving.protocols.open_inference import binary_data
from services.model_serving.protocols.open_inference.datatypes import BYTES, NUMPY
from services.model_serving.protocols.open_inference.infer_request import InferRequest, read_infer_request
from services.model_serving.protocols.open_inference.json_data import read_json_data
from services.model_serving.protocols.open_inference.model_tensors import ANY, TensorMetadata, tensors_of
from services.model_serving.protocols.open_inference.reading import read_tensors
from services.model_serving.protocols.parameters import read_declared
from services.model_serving.signature import ModelInput

RAW = "0"
EMPTY = InferRequest(None, {}, (), None, binary=False)


class InferBody:
    """Reads a body.

    Args:
        body: As the caller sent it.
        header_length: The header that says where its JSON ends; None when there is none.

    Attributes:
        request: What the JSON says; known after reading.
    """

    def __init__(self, body: bytes, header_length: str | None) -> None:
        self._body = body
        self._header_length = header_length
        self.request = EMPTY

    def read(self, model: LoadedModel) -> tuple[ModelInput, Params]:
        """Read with a model's signature.

        Raises:
            BadRequest: the body is not of the protocol.
            InvalidInputs: its tensors or parameters do not fit the signature; fields are named as in the body.
        """
        try:
            if self._header_length == RAW:
                return read_tensors(model, self._read_raw(model), None), model.signature.parameters.read({})
            text, content = binary_data.split_body(self._body, self._header_length)
            self.request = request = read_infer_request(text)
            parts = binary_data.cut(request.inputs, content)
            arrays = {
                tensor.name: read_json_data(tensor)
                if tensor.binary_size is None
                else binary_data.read_binary_data(
                    parts[tensor.name], tensor.datatype, tensor.shape, tensor.size, tensor.field
                )
                for tensor in request.inputs
            }
            content_type = request.parameters.get("content_type")
            return read_tensors(model, arrays, content_type), read_declared(model, request.parameters)
        except InvalidInputs as error:
            raise renamed(error, "inputs", "parameters") from error

    def _read_raw(self, model: LoadedModel) -> dict[str, npt.NDArray[Any]]:
        """Read a body that is one row of a model's only tensor, or of its columns when they are all of one type."""
        tensors = tensors_of(model).inputs
        datatypes = {tensor.datatype for tensor in tensors}
        if len(datatypes) != 1:
            raise BadRequest("A body without JSON is for models whose inputs are declared and all of one datatype.")
        (datatype,) = datatypes
        if datatype == BYTES:
            return self._read_text(tensors)
        name, shape = _row(tensors)
        items = len(self._body) // NUMPY[datatype].itemsize
        known = int(np.prod([length for length in shape if length != ANY], dtype=np.int64))
        if shape.count(ANY) > 1:
            raise BadRequest("A body without JSON is for tensors in which at most one length is open.")
        if ANY in shape:
            shape = tuple(items // known if known and length == ANY else length for length in shape)
        size = int(np.prod(shape, dtype=np.int64))
        array = binary_data.read_binary_data(memoryview(self._body), datatype, shape, size, "The body")
        return {name: array}

    def _read_text(self, tensors: list[TensorMetadata]) -> dict[str, npt.NDArray[Any]]:
        if len(tensors) != 1:
            raise BadRequest("A body without JSON is one element of BYTES, and the model takes several.")
        array = np.empty((1,) * len(tensors[0].shape), dtype=object)
        array[...] = self._body
        return {tensors[0].name: array}


def _row(tensors: list[TensorMetadata]) -> tuple[str, tuple[int, ...]]:
    if len(tensors) == 1:
        first = tensors[0].shape
        return tensors[0].name, (1, *first[1:]) if first and first[0] == ANY else first
    if any(tensor.shape != (ANY, 1) for tensor in tensors):
        raise BadRequest("A body without JSON is for models of one tensor.")
    return "", (1, len(tensors))
