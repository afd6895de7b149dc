"""From an MLflow model's signature to the reader of its inputs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from mlflow.models import Model

from services.model_serving.signature.arrays import Array
from services.model_serving.signature.columns import ColumnSignature
from services.model_serving.signature.findings import refuse
from services.model_serving.signature.model_input import ModelInput
from services.model_serving.signature.parameters import Parameters
from services.model_serving.signature.policy import STRICT, ReadPolicy
from services.model_serving.signature.tensors import TensorSignature

__all__ = ["ModelInput", "Signature", "compile_signature"]


MOST_CELLS = 5_000_000
"""Of a table that is made of inputs which no signature describes."""


class InputReader(Protocol):
    """Turns a caller's JSON into what a model is called with."""

    def read(self, inputs: object, policy: ReadPolicy = STRICT) -> ModelInput:
        """Check and convert, or raise `InvalidInputs`."""

    def read_split(
        self, columns: Sequence[object] | None, rows: list[list[object]], policy: ReadPolicy = STRICT
    ) -> ModelInput:
        """Check and convert rows whose columns are named once, or raise `InvalidInputs`."""

    def read_arrays(self, arrays: Mapping[str, Array] | Array, policy: ReadPolicy = STRICT) -> ModelInput:
        """Check and convert typed arrays, or raise `InvalidInputs`."""


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

    def read(self, inputs: object, policy: ReadPolicy = STRICT) -> ModelInput:  # noqa: ARG002 (the common form)
        """Accept a list; records and columns become a DataFrame unless the list goes through as given."""
        if isinstance(inputs, list):
            if self._as_given:
                return self._bounded(inputs, len(inputs))
            self._check_cells(inputs)
        elif not isinstance(inputs, dict) or self._as_given:
            raise refuse("body.inputs", "must be a list")
        try:
            frame = pd.DataFrame(inputs)
        except (ValueError, TypeError) as error:  # its message may repeat values
            raise refuse("body.inputs", "must be records, or columns or rows of equal length") from error
        return self._bounded(frame, len(frame))

    def read_split(
        self, columns: Sequence[object] | None, rows: list[list[object]], policy: ReadPolicy = STRICT
    ) -> ModelInput:
        """Accept rows; they become a DataFrame unless the list goes through as given."""
        if self._as_given or columns is None:
            return self.read(rows, policy)
        names = list(map(str, columns))
        if len(set(names)) != len(names):
            raise refuse("body.inputs.columns", "has a name twice")
        if not set(map(len, rows)) <= {len(names)}:
            raise refuse("body.inputs.data", f"has rows with more or fewer than {len(names)} values")
        return self._bounded(pd.DataFrame(rows, columns=names), len(rows))

    def read_arrays(
        self,
        arrays: Mapping[str, Array] | Array,
        policy: ReadPolicy = STRICT,  # noqa: ARG002 (the common form)
    ) -> ModelInput:
        """Accept an array, or columns by name."""
        if isinstance(arrays, np.ndarray):
            return self._bounded(arrays, len(arrays) if arrays.ndim else 1)
        flat = {name: array.reshape(-1) for name, array in arrays.items()}
        if len({len(column) for column in flat.values()}) > 1:
            raise refuse("body.inputs", "has columns of different lengths")
        frame = pd.DataFrame(flat)
        return self._bounded(frame, len(frame))

    def _check_cells(self, rows: list[object]) -> None:
        """Refuse rows that would fill a table far larger than they are, such as records of a name of their own each."""
        self._check_rows(len(rows))
        names = {name for row in rows if isinstance(row, dict) for name in row}
        width = max(len(names), max((len(row) for row in rows if isinstance(row, list)), default=0))
        if len(rows) * width > MOST_CELLS:
            raise refuse("body.inputs", f"makes a table of {len(rows)} rows and {width} columns, which is too large")

    def _check_rows(self, rows: int) -> None:
        if rows > self._max_rows:
            raise refuse("body.inputs", f"has {rows} rows; at most {self._max_rows} are scored at once")

    def _bounded(self, data: object, rows: int) -> ModelInput:
        self._check_rows(rows)
        return ModelInput(data, rows)


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
