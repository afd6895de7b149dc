"""A model's inputs and outputs as tensors, from its signature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.types.schema import DataType, Schema

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.open_inference.datatypes import BYTES, name_of, name_of_column

INPUT, OUTPUT = "input-0", "output-0"
ANY = -1


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """A tensor that a model takes or gives.

    Attributes:
        name: Of the tensor.
        datatype: One of the protocol.
        shape: -1 is any length.
        optional: Whether it may be left out.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    optional: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as the protocol writes it."""
        found: dict[str, Any] = {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}
        return found | {"parameters": {"optional": True}} if self.optional else found


def inputs_of(model: LoadedModel) -> list[TensorMetadata]:
    """Return what a model takes; nothing when it does not say."""
    return _tensors(None if model.declared is None else model.declared.inputs, INPUT)


def outputs_of(model: LoadedModel) -> list[TensorMetadata]:
    """Return what a model gives; nothing when it does not say."""
    return _tensors(None if model.declared is None else model.declared.outputs, OUTPUT)


def column_kinds(model: LoadedModel) -> dict[str, Any]:
    """Return name → type of a model's named columns; empty when it has none."""
    schema = None if model.declared is None else model.declared.inputs
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return {}
    return dict(zip(schema.input_names(), schema.input_types(), strict=True))


def _tensors(schema: Schema | None, unnamed: str) -> list[TensorMetadata]:
    if schema is None or not schema.inputs:
        return []
    if schema.is_tensor_spec():
        return [
            TensorMetadata(spec.name or unnamed, name_of(np.dtype(spec.type)), tuple(spec.shape))
            for spec in schema.inputs
        ]
    if schema.has_input_names():
        return [
            TensorMetadata(spec.name, name_of_column(spec.type), (ANY, 1), not spec.required) for spec in schema.inputs
        ]
    kinds = {name_of_column(kind) if isinstance(kind, DataType) else BYTES for kind in schema.input_types()}
    return [TensorMetadata(unnamed, kinds.pop() if len(kinds) == 1 else BYTES, (ANY, len(schema.inputs)))]
