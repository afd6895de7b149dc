"""The JSON forms of the scoring protocol to what a model is called with."""

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.types.schema import DataType

from mlplatform.errors import BadRequest, FieldError
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.mlflow_scoring.whole import WholeInput
from services.model_serving.signature import ModelInput, ReadPolicy
from services.model_serving.signature.compiled import UndeclaredInputs
from services.model_serving.signature.tensors import TensorSignature

SPLIT, RECORDS, INSTANCES, INPUTS = "dataframe_split", "dataframe_records", "instances", "inputs"
FORMATS = frozenset({SPLIT, RECORDS, INSTANCES, INPUTS})
SPLIT_KEYS = frozenset({"columns", "data", "index"})
MOST_DIMENSIONS = 16
LLM_KEYS = frozenset({"messages", "prompt", "input"})


class Declared:
    """What decides how a body is read: the kind of signature that a model has."""

    def __init__(self, model: LoadedModel) -> None:
        reader = model.signature.inputs
        self._schema = None if model.declared is None else model.declared.inputs
        self.undeclared = isinstance(reader, UndeclaredInputs)
        self.from_type_hints = self.undeclared and self._schema is not None
        self.tensors = isinstance(reader, TensorSignature)

    @property
    def names(self) -> list[str]:
        """Of the columns or tensors; empty when they have none."""
        return self._schema.input_names() if self._schema is not None and self._schema.has_input_names() else []

    @property
    def kinds(self) -> list[Any]:
        """Their types."""
        return [] if self._schema is None else self._schema.input_types()

    def takes_unwrapped(self, body: dict[str, Any]) -> bool:
        """Whether a body is the data itself, under one of the keys of language models, and the model takes such."""
        keys = LLM_KEYS & body.keys()
        return bool(keys) and not self.from_type_hints and (self.undeclared or bool(keys & set(self.names)))


def read_unwrapped(model: LoadedModel, data: dict[str, Any], policy: ReadPolicy) -> ModelInput:
    """Read data that has no format around it.

    Raises:
        InvalidInputs: it does not fit the signature.
    """
    if Declared(model).undeclared:
        return WholeInput(data)
    return model.signature.inputs.read([data], policy)


def read_split(model: LoadedModel, split: Any, policy: ReadPolicy) -> ModelInput:  # noqa: ANN401 (JSON)
    """Read `dataframe_split`; an index is checked for its length and otherwise passed over.

    Raises:
        BadRequest: it is no table of this orientation.
        InvalidInputs: it does not fit the signature.
    """
    if not isinstance(split, dict):
        raise BadRequest("dataframe_split must be an object with `data` and `columns`.")
    if "data" not in split or not split.keys() <= SPLIT_KEYS:
        raise BadRequest("dataframe_split must have `data`, and may have `columns` and `index` and nothing else.")
    rows, columns, index = split["data"], split.get("columns"), split.get("index")
    if not isinstance(rows, list) or not set(map(type, rows)) <= {list}:
        raise BadRequest("dataframe_split.data must be a list of rows, each a list of values.")
    if index is not None and (not isinstance(index, list) or len(index) != len(rows)):
        raise BadRequest("dataframe_split.index must be a list with one entry per row.")
    if columns is not None and (not isinstance(columns, list) or not set(map(type, columns)) <= {str, int}):
        raise BadRequest("dataframe_split.columns must be a list of names.")
    schema = None if model.declared is None else model.declared.inputs
    if schema is None or schema.inputs[0].name is None:
        named = columns if Declared(model).undeclared else None
        return model.signature.inputs.read_split(named, rows, policy)
    if columns is None:
        missing = "is missing: the model's columns have names"
        raise InvalidInputs([FieldError("body.inputs.columns", missing)])
    if isinstance(model.signature.inputs, TensorSignature):
        return model.signature.inputs.read(_columns(columns, rows), policy)
    return model.signature.inputs.read_split(columns, rows, policy)


def _columns(names: list[Any], rows: list[list[Any]]) -> dict[str, Any]:
    if not set(map(len, rows)) <= {len(names)}:
        raise BadRequest(f"dataframe_split.data has rows with more or fewer values than the {len(names)} columns.")
    if len(set(names)) != len(names):
        raise BadRequest("dataframe_split.columns has a name twice.")
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def read_records(model: LoadedModel, records: Any, policy: ReadPolicy) -> ModelInput:  # noqa: ANN401 (JSON)
    """Read `dataframe_records`.

    Raises:
        BadRequest: it is no list of records.
        InvalidInputs: it does not fit the signature.
    """
    if not isinstance(records, list) or not set(map(type, records)) <= {dict}:
        raise BadRequest("dataframe_records must be a list of records, each an object with one value per column.")
    declared = Declared(model)
    if not declared.undeclared and not declared.names:
        return model.signature.inputs.read([list(record.values()) for record in records], policy)
    return _read_rows(model, records, policy)


def read_tensors(model: LoadedModel, inputs: Any, policy: ReadPolicy) -> ModelInput:  # noqa: ANN401 (JSON)
    """Read `inputs` or `instances`: columns or tensors by name, records, a nested list, or one value.

    Raises:
        InvalidInputs: it does not fit the signature.
    """
    declared = Declared(model)
    reader = model.signature.inputs
    if declared.undeclared:
        array = _numbers(inputs)
        return reader.read(inputs, policy) if array is None else reader.read_arrays(array, policy)
    if isinstance(inputs, dict):
        one_row = not declared.tensors and inputs and not any(isinstance(value, list) for value in inputs.values())
        return reader.read([inputs] if one_row else inputs, policy)
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict):
        return _read_rows(model, inputs, policy)
    if len(declared.kinds) == 1 and not declared.tensors:
        return _read_only_column(model, declared, inputs, policy)
    return reader.read(inputs, policy)


def read_given(model: LoadedModel, body: dict[str, Any]) -> ModelInput:
    """Read the inputs of a model whose own type hints check them.

    Raises:
        InvalidInputs: they do not stand under `inputs`, or are no list.
    """
    if INPUTS not in body:
        raise InvalidInputs([FieldError("body.inputs", "is missing: this model takes no other form")])
    return model.signature.inputs.read(body[INPUTS])


def _read_rows(model: LoadedModel, rows: list[Any], policy: ReadPolicy) -> ModelInput:
    if not isinstance(model.signature.inputs, TensorSignature):
        return model.signature.inputs.read(rows, policy)
    names = list(rows[0]) if rows else []
    if any(not isinstance(row, dict) or row.keys() != set(names) for row in rows):
        raise InvalidInputs([FieldError("body.inputs", "must be rows that all have the same tensors")])
    return model.signature.inputs.read({name: [row[name] for row in rows] for name in names}, policy)


def _read_only_column(model: LoadedModel, declared: Declared, inputs: Any, policy: ReadPolicy) -> ModelInput:  # noqa: ANN401 (JSON)
    """Read the values of the one column that a model has; they need no name."""
    values = inputs if isinstance(inputs, list) else [inputs]
    in_rows = isinstance(declared.kinds[0], DataType) and any(isinstance(value, list) for value in values)
    return model.signature.inputs.read(values if in_rows else [[value] for value in values], policy)


def _numbers(inputs: Any) -> npt.NDArray[Any] | None:  # noqa: ANN401 (JSON)
    """Return a number or a rectangular list of numbers as an array; None for all else."""
    values: list[Any] = [inputs]
    shape: list[int] = []
    while values and len(shape) < MOST_DIMENSIONS and type(values[0]) is list:
        lengths = {len(value) if type(value) is list else None for value in values}
        if len(lengths) != 1:
            return None
        shape.append(len(values[0]))
        values = list(chain.from_iterable(values))
    return np.array(values).reshape(shape) if set(map(type, values)) <= {int, float} else None
