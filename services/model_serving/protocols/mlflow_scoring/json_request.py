"""One JSON body of the scoring protocol."""

from collections.abc import Callable, Iterator
from typing import Any

from mlplatform.errors import BadRequest, FieldError
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.json_body import read_json_body, refuse_repeated_keys
from services.model_serving.protocols.mlflow_scoring import reading
from services.model_serving.protocols.naming import renamed
from services.model_serving.protocols.parameters import read_declared
from services.model_serving.signature import ModelInput, ReadPolicy

PARAMS = "params"
ONE_OF = "The input must be a JSON object with one of dataframe_split, dataframe_records, instances, inputs"
Read = Callable[[LoadedModel, Any, ReadPolicy], ModelInput]
READERS: dict[str, Read] = {
    reading.SPLIT: reading.read_split,
    reading.RECORDS: reading.read_records,
    reading.INSTANCES: reading.read_tensors,
    reading.INPUTS: reading.read_tensors,
}


class JsonRequest:
    """Reads a body once its model is known.

    Args:
        body: As the caller sent it.
        policy: How strictly.

    Attributes:
        size: Bytes of the body.
        wrapped: Whether the answer stands under `predictions`; known after reading.
    """

    def __init__(self, body: bytes, policy: ReadPolicy) -> None:
        self._body = body
        self._policy = policy
        self.size = len(body)
        self.wrapped = True

    def read(self, model: LoadedModel) -> tuple[ModelInput, Params]:
        """Read with a model's signature.

        Raises:
            BadRequest: the body is not of the protocol.
            InvalidInputs: its inputs or parameters do not fit the signature; fields are named as in the body.
        """
        body = read_json_body(self._body, not_finite=True)
        if not isinstance(body, dict):
            raise BadRequest(f"{ONE_OF}; it is not an object.")
        refuse_repeated_keys(self._body, _objects(body))
        if reading.LLM_KEYS & body.keys():
            declared = reading.Declared(model)
            if declared.takes_unwrapped(body):
                self.wrapped = False
                return self._read_unwrapped(model, body)
        formats = reading.FORMATS & body.keys()
        if len(formats) != 1:
            raise BadRequest(f"{ONE_OF}; it has {len(formats)} of them.")
        (name,) = formats
        try:
            given = self._read_inputs(model, name, body)
            return given, read_declared(model, _params(body.get(PARAMS)))
        except InvalidInputs as error:
            raise renamed(error, name, PARAMS) from error

    def _read_inputs(self, model: LoadedModel, name: str, body: dict[str, Any]) -> ModelInput:
        if reading.Declared(model).from_type_hints:
            return reading.read_given(model, body)
        return READERS[name](model, body[name], self._policy)

    def _read_unwrapped(self, model: LoadedModel, body: dict[str, Any]) -> tuple[ModelInput, Params]:
        declared = None if model.declared is None else model.declared.params
        names = set() if declared is None else {spec.name for spec in declared.params}
        try:
            params = read_declared(model, body)
            data = {key: value for key, value in body.items() if key not in names}
            return reading.read_unwrapped(model, data, self._policy), params
        except InvalidInputs as error:
            raise renamed(error, "body", "body") from error


def _params(params: Any) -> dict[str, object]:  # noqa: ANN401 (JSON)
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise InvalidInputs([FieldError("body.params", "must be an object with one value per parameter")])
    return params


def _objects(body: dict[str, Any]) -> Iterator[object]:
    """Walk over the objects that the forms of the protocol have."""
    yield body
    for value in body.values():
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            yield from value
