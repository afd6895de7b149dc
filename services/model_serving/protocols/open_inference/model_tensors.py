"""A model's inputs and outputs as tensors, from its signature."""

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types.schema import DataType, Schema

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.protocols.open_inference.datatypes import BYTES, name_of, name_of_column
from services.model_serving.signature import Signature

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


class ModelTensors:
    """What a version takes and gives; made once for each that is in memory.

    Attributes:
        inputs: Nothing when the model does not say.
        outputs: The same.
        kinds: Name → type of the named columns; empty when it has none.
    """

    def __init__(self, declared: ModelSignature | None) -> None:
        inputs = None if declared is None else declared.inputs
        self.inputs = _tensors(inputs, INPUT)
        self.outputs = _tensors(None if declared is None else declared.outputs, OUTPUT)
        self.kinds: dict[str, Any] = {}
        if inputs is not None and not inputs.is_tensor_spec() and inputs.has_input_names():
            self.kinds.update(zip(inputs.input_names(), inputs.input_types(), strict=True))


_known: "WeakKeyDictionary[Signature, ModelTensors]" = WeakKeyDictionary()


def tensors_of(model: LoadedModel) -> ModelTensors:
    """Return what a version takes and gives."""
    found = _known.get(model.signature)
    if found is None:
        found = _known[model.signature] = ModelTensors(model.declared)
    return found


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
