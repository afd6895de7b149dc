"""The JSON of an inference request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlplatform.errors import BadRequest
from services.model_serving.protocols.json_body import read_json_body, refuse_repeated_keys
from services.model_serving.protocols.open_inference.datatypes import BYTES, NUMPY
from services.model_serving.protocols.open_inference.errors import InvalidTensor, field_of

MOST_DIMENSIONS = 16
LARGEST = 2**40
"""Most values of a tensor, dimensions of length zero taken as one."""
UNSUPPORTED = ("shared_memory_region", "classification")
Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input as the JSON describes it.

    Attributes:
        name: Of the tensor.
        field: Its path, for errors.
        datatype: BYTES, or a key of `NUMPY`.
        shape: Of the tensor.
        size: Product of the shape.
        data: The values, nested or flat; None when they follow the JSON.
        binary_size: Their bytes behind the JSON; None when they are in it.
        parameters: Of the tensor.
    """

    name: str
    field: str
    datatype: str
    shape: tuple[int, ...]
    size: int
    data: Any
    binary_size: int | None
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that the caller asks for."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a caller wants.

    Attributes:
        id: To repeat in the answer; None when there is none.
        parameters: Of the request.
        inputs: In order.
        outputs: In order; None for all of them.
        binary: Whether outputs that are not named come behind the JSON.
    """

    id: str | None
    parameters: Parameters
    inputs: tuple[Tensor, ...]
    outputs: tuple[WantedOutput, ...] | None
    binary: bool


def read_infer_request(text: bytes) -> InferRequest:
    """Read the JSON of a request.

    Raises:
        BadRequest: it is not of the protocol; the error names the field.
    """
    body = read_json_body(text)
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object with `inputs`.")
    refuse_repeated_keys(text, _objects(body))
    identifier = body.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InvalidTensor("id", "must be text")
    parameters = _parameters("parameters", body.get("parameters"))
    binary = _flag("parameters", parameters, "binary_data_output")
    given = body.get("inputs")
    if not isinstance(given, list) or not given:
        raise InvalidTensor("inputs", "must be a list with at least one tensor")
    inputs = tuple(_tensor(position, tensor) for position, tensor in enumerate(given))
    _refuse_twice("inputs", [tensor.name for tensor in inputs])
    return InferRequest(identifier, parameters, inputs, _outputs(body.get("outputs"), binary=binary), binary)


def _tensor(position: int, given: Any) -> Tensor:  # noqa: ANN401 (JSON)
    if not isinstance(given, dict):
        raise InvalidTensor(f"inputs.{position}", "must be an object")
    name = given.get("name")
    field = field_of("inputs", position, name)
    if not isinstance(name, str) or not name:
        raise InvalidTensor(field, "must have a name")
    datatype = given.get("datatype")
    if not isinstance(datatype, str) or (datatype != BYTES and datatype not in NUMPY):
        raise InvalidTensor(f"{field}.datatype", f"must be one of {', '.join(NUMPY)}, {BYTES}")
    shape, size = _shape(f"{field}.shape", given.get("shape"))
    parameters = _parameters(f"{field}.parameters", given.get("parameters"))
    binary_size = parameters.get("binary_data_size")
    if binary_size is not None and (type(binary_size) is not int or binary_size < 0):
        raise InvalidTensor(f"{field}.parameters.binary_data_size", "must be a number of bytes")
    if (binary_size is None) == ("data" not in given):
        raise InvalidTensor(field, "must have either `data` or the parameter `binary_data_size`")
    return Tensor(name, field, datatype, shape, size, given.get("data"), binary_size, parameters)


def _shape(field: str, given: Any) -> tuple[tuple[int, ...], int]:  # noqa: ANN401 (JSON)
    if not isinstance(given, list) or len(given) > MOST_DIMENSIONS or not set(map(type, given)) <= {int}:
        raise InvalidTensor(field, f"must be a list of at most {MOST_DIMENSIONS} lengths")
    size = bound = 1
    for length in given:
        size *= length
        bound *= max(length, 1)
        if length < 0 or bound > LARGEST:
            raise InvalidTensor(field, "must be lengths from 0 on, and no more values than a request can hold")
    return tuple(given), size


def _outputs(given: Any, *, binary: bool) -> tuple[WantedOutput, ...] | None:  # noqa: ANN401 (JSON)
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        raise InvalidTensor("outputs", "must be a list")
    wanted = []
    for position, output in enumerate(given):
        name = output.get("name") if isinstance(output, dict) else None
        field = field_of("outputs", position, name)
        if not isinstance(name, str) or not name:
            raise InvalidTensor(field, "must be an object with a name")
        parameters = _parameters(f"{field}.parameters", output.get("parameters"))
        wanted.append(WantedOutput(name, _flag(f"{field}.parameters", parameters, "binary_data", default=binary)))
    _refuse_twice("outputs", [output.name for output in wanted])
    return tuple(wanted)


def _parameters(field: str, given: Any) -> Parameters:  # noqa: ANN401 (JSON)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidTensor(field, "must be an object")
    if not set(map(type, given.values())) <= {str, int, float, bool}:
        raise InvalidTensor(field, "must have texts, numbers, true or false as values")
    for name in UNSUPPORTED:
        if name in given:
            raise InvalidTensor(f"{field}.{name}", "is an extension that this server does not have")
    return given


def _flag(field: str, parameters: Parameters, name: str, *, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidTensor(f"{field}.{name}", "must be true or false")
    return value


def _refuse_twice(field: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise InvalidTensor(field, "has a name twice")


def _objects(body: dict[str, Any]) -> Iterator[object]:
    """Walk over the objects that a request has."""
    yield body
    yield body.get("parameters")
    for key in ("inputs", "outputs"):
        tensors = body.get(key)
        for tensor in tensors if isinstance(tensors, list) else ():
            yield tensor
            if isinstance(tensor, dict):
                yield tensor.get("parameters")
