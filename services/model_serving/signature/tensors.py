"""Tensor-based signatures: nested JSON lists to arrays of the declared type and shape."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from mlflow.types.schema import Schema, TensorSpec

from services.model_serving.signature import scalars
from services.model_serving.signature.arrays import Array, cast
from services.model_serving.signature.findings import Findings, refuse
from services.model_serving.signature.model_input import ModelInput
from services.model_serving.signature.policy import STRICT, ReadPolicy

_ANY_DIMENSION = -1


class TensorSignature:
    """Reads one unnamed tensor, or several by name.

    Args:
        schema: the signature's inputs, made of `TensorSpec`.
        max_rows: tensors with more entries along their first dimension are refused.
    """

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self._specs: list[TensorSpec] = list(schema.inputs)
        self._named: bool = schema.has_input_names()
        self._max_rows = max_rows

    def read(self, inputs: object, policy: ReadPolicy = STRICT) -> ModelInput:  # noqa: ARG002 (the common form)
        """Check and convert.

        Raises:
            InvalidInputs: a tensor is missing, unknown, ragged, or of another type or shape.
        """
        if not self._named:
            array = self._tensor("body.inputs", inputs, self._specs[0])
            return ModelInput(array, _rows(array, self._specs[0]))
        if not isinstance(inputs, dict):
            raise refuse("body.inputs", "must be an object with one tensor per input of the model")
        findings = Findings()
        for spec in self._specs:
            if spec.name not in inputs:
                findings.add(f"body.inputs.{spec.name}", "is missing")
        if inputs.keys() - {spec.name for spec in self._specs}:
            findings.add("body.inputs", "has tensors that the model does not have")
        findings.raise_any()
        arrays = {spec.name: self._tensor(f"body.inputs.{spec.name}", inputs[spec.name], spec) for spec in self._specs}
        return ModelInput(arrays, self._count(arrays))

    def read_split(
        self,
        columns: Sequence[object] | None,  # noqa: ARG002 (the common form)
        rows: list[list[object]],
        policy: ReadPolicy = STRICT,
    ) -> ModelInput:
        """Read rows as one tensor; the names of columns mean nothing to it.

        Raises:
            InvalidInputs: as in `read`.
        """
        return self.read(rows, policy)

    def read_arrays(
        self,
        arrays: Mapping[str, Array] | Array,
        policy: ReadPolicy = STRICT,  # noqa: ARG002 (the common form)
    ) -> ModelInput:
        """Check and convert typed tensors; a model of one tensor takes it by any name.

        Raises:
            InvalidInputs: a tensor is missing or unknown, has another shape, or a value that its type cannot hold.
        """
        if len(self._specs) == 1:
            given = list(arrays.values()) if isinstance(arrays, Mapping) else [arrays]
            if len(given) != 1:
                raise refuse("body.inputs", f"has {len(given)} tensors; the model takes one")
            spec = self._specs[0]
            array = self._cast("body.inputs", given[0], spec)
            return ModelInput({spec.name: array} if self._named else array, _rows(array, spec))
        if not isinstance(arrays, Mapping):
            raise refuse("body.inputs", f"has one tensor; the model takes {len(self._specs)}")
        findings = Findings()
        for spec in self._specs:
            if spec.name not in arrays:
                findings.add(f"body.inputs.{spec.name}", "is missing")
        if arrays.keys() - {spec.name for spec in self._specs}:
            findings.add("body.inputs", "has tensors that the model does not have")
        findings.raise_any()
        cast_to = {spec.name: self._cast(f"body.inputs.{spec.name}", arrays[spec.name], spec) for spec in self._specs}
        return ModelInput(cast_to, self._count(cast_to))

    def _cast(self, path: str, array: Array, spec: TensorSpec) -> Array:
        self._check_shape(path, array.shape, spec)
        return cast(array, np.dtype(spec.type), path)

    def _count(self, arrays: Mapping[str, Array]) -> int:
        """Count the rows, which every tensor with an open first dimension has: else rows of callers could get mixed."""
        lengths = {len(arrays[spec.name]) for spec in self._specs if spec.shape[0] == _ANY_DIMENSION}
        if len(lengths) > 1:
            raise refuse("body.inputs", "has tensors of different lengths: each has one entry per row")
        return lengths.pop() if lengths else 1

    def _check_shape(self, path: str, given: tuple[int, ...], spec: TensorSpec) -> None:
        shape = tuple(spec.shape)
        if not _fits(given, shape):
            raise refuse(path, f"has shape {given}; the model takes {shape}, where -1 is any length")
        if given[0] > self._max_rows:
            raise refuse(path, f"has {given[0]} rows; at most {self._max_rows} are scored at once")

    def _tensor(self, path: str, value: object, spec: TensorSpec) -> npt.NDArray[np.generic]:
        if not isinstance(value, list):
            raise refuse(path, "must be a list, nested as deep as the tensor has dimensions")
        objects = np.array(value, dtype=object)
        values = objects.reshape(-1).tolist()
        if list in set(map(type, values)):
            raise refuse(path, "must be rectangular: lists of one level have the same length")
        self._check_shape(path, objects.shape, spec)
        findings = Findings()

        def report(position: int, message: str) -> None:
            where = np.unravel_index(position, objects.shape)
            findings.add(".".join([path, *map(str, where)]), message)

        flat = _conversion(np.dtype(spec.type))(values, report)
        findings.raise_any()
        return np.asarray(flat, dtype=spec.type).reshape(objects.shape)


def _fits(shape: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    if shape == (0,) and declared[0] == _ANY_DIMENSION:
        return True
    return len(shape) == len(declared) and all(
        wanted in {_ANY_DIMENSION, length} for length, wanted in zip(shape, declared, strict=True)
    )


def _rows(array: npt.NDArray[np.generic], spec: TensorSpec) -> int:
    return len(array) if spec.shape[0] == _ANY_DIMENSION else 1


def _conversion(dtype: np.dtype[np.generic]) -> scalars.Convert:
    if dtype.kind == "f":
        return scalars.floats(dtype)
    if dtype.kind in "iu":
        return scalars.integers(dtype)
    return scalars.booleans if dtype.kind == "b" else scalars.strings
