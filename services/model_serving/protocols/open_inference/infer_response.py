"""The answer to an inference request."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from mlplatform.errors import BadRequest
from mlplatform.service import DirectResponse
from services.model_serving.calls import Answer
from services.model_serving.protocols.native import model_headers
from services.model_serving.protocols.open_inference.binary_data import HEADER, write_binary_data
from services.model_serving.protocols.open_inference.datatypes import BYTES, name_of
from services.model_serving.protocols.open_inference.infer_request import InferRequest, WantedOutput
from services.model_serving.protocols.open_inference.outputs import outputs_from

Array = npt.NDArray[Any]
BINARY_TYPE = "application/octet-stream"


def respond(answer: Answer, request: InferRequest, *, raw: bool) -> DirectResponse:
    """Write an answer.

    Args:
        answer: Of the model.
        request: What the caller asked for.
        raw: Whether the request had no JSON; outputs are binary then.

    Raises:
        BadRequest: an output is asked for that the model does not have.
        ModelFailedError: the model answered something that is no tensor.
    """
    arrays = outputs_from(answer.predictions, answer.model)
    wanted = request.outputs
    if wanted is None:
        wanted = tuple(WantedOutput(name, binary=raw or request.binary) for name in arrays)
    _check_names(wanted, arrays)
    parts: list[bytes] = []
    outputs = []
    for output in wanted:
        array = arrays[output.name]
        if output.binary:
            part = write_binary_data(array)
            parts.append(part)
            outputs.append(_described(output.name, array) | {"parameters": {"binary_data_size": len(part)}})
        else:
            outputs.append(_in_json(output.name, array))
    identity = answer.model.identity
    content: dict[str, Any] = {"model_name": identity.name, "model_version": identity.version}
    if request.id is not None:
        content["id"] = request.id
    text = orjson.dumps(content | {"outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = model_headers(answer)
    if not parts:
        return DirectResponse(text, headers=headers)
    headers = (*headers, (HEADER, str(len(text))))
    return DirectResponse(b"".join([text, *parts]), content_type=BINARY_TYPE, headers=headers)


def _check_names(wanted: tuple[WantedOutput, ...], arrays: Mapping[str, Array]) -> None:
    for position, output in enumerate(wanted):
        if output.name not in arrays:
            raise BadRequest(f"outputs.{position} is not an output of the model; it has {', '.join(arrays)}")


def _described(name: str, array: Array) -> dict[str, Any]:
    return {"name": name, "datatype": name_of(array.dtype), "shape": list(array.shape)}


def _in_json(name: str, array: Array) -> dict[str, Any]:
    if array.dtype.kind == "O":
        return _texts_in_json(name, array)
    if array.dtype == np.float16:
        array = array.astype(np.float32)  # FP16 has no form in JSON; FP32 holds every value of it
    return _described(name, array) | {"data": np.ascontiguousarray(array).reshape(-1)}


def _texts_in_json(name: str, array: Array) -> dict[str, Any]:
    values = array.reshape(-1).tolist()
    described = _described(name, array)
    described["datatype"] = BYTES
    try:
        return described | {"data": [value.decode() for value in values]}
    except UnicodeDecodeError:
        encoded = [base64.b64encode(value).decode() for value in values]
        return described | {"parameters": {"content_type": "base64"}, "data": encoded}
