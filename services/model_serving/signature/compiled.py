"""From an MLflow model's signature to the reader of its inputs."""

from typing import Protocol

import pandas as pd
from mlflow.models import Model

from services.model_serving.signature.columns import ColumnSignature
from services.model_serving.signature.findings import refuse
from services.model_serving.signature.model_input import ModelInput
from services.model_serving.signature.parameters import Parameters
from services.model_serving.signature.tensors import TensorSignature

__all__ = ["ModelInput", "Signature", "compile_signature"]


class InputReader(Protocol):
    """Turns a caller's JSON into what a model is called with."""

    def read(self, inputs: object) -> ModelInput:
        """Check and convert, or raise `InvalidInputs`."""


class Signature:
    """A compiled signature.

    Attributes:
        inputs: reader of the inputs.
        parameters: reader of the parameters.
    """

    def __init__(self, inputs: InputReader, parameters: Parameters) -> None:
        self.inputs = inputs
        self.parameters = parameters


class UndeclaredInputs:
    """Inputs of a model without a signature, or with one made of type hints, which checks them itself.

    Args:
        as_given: hand the caller's list to the model untouched, as type hints ask.
        max_rows: longer lists are refused.
    """

    def __init__(self, *, as_given: bool, max_rows: int) -> None:
        self._as_given = as_given
        self._max_rows = max_rows

    def read(self, inputs: object) -> ModelInput:
        """Accept a list; records and columns become a DataFrame unless the list goes through as given."""
        if isinstance(inputs, list):
            if len(inputs) > self._max_rows:
                raise refuse("body.inputs", f"has {len(inputs)} rows; at most {self._max_rows} are scored at once")
            if self._as_given:
                return ModelInput(inputs, len(inputs))
        elif not isinstance(inputs, dict) or self._as_given:
            raise refuse("body.inputs", "must be a list")
        try:
            frame = pd.DataFrame(inputs)
        except ValueError as error:  # its message may repeat values
            raise refuse("body.inputs", "must be records, or columns or rows of equal length") from error
        if len(frame) > self._max_rows:
            raise refuse("body.inputs", f"has {len(frame)} rows; at most {self._max_rows} are scored at once")
        return ModelInput(frame, len(frame))


def compile_signature(model: Model, *, max_rows: int) -> Signature:
    """Compile the signature of a logged model.

    Args:
        model: the content of its `MLmodel` file.
        max_rows: most rows of one call.
    """
    schema = model.get_input_schema()
    parameters = Parameters(model.get_params_schema())
    from_type_hints = bool(model.to_dict().get("is_signature_from_type_hint"))
    if schema is None or from_type_hints:
        return Signature(UndeclaredInputs(as_given=from_type_hints, max_rows=max_rows), parameters)
    if schema.is_tensor_spec():
        return Signature(TensorSignature(schema, max_rows), parameters)
    return Signature(ColumnSignature(schema, max_rows), parameters)
