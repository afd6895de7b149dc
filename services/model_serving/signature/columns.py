"""Column-based signatures: a JSON table to the DataFrame that the model declares."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from mlflow.types.schema import DataType, Schema

from services.model_serving.signature import nested, scalars
from services.model_serving.signature.arrays import Array, cast, cast_column
from services.model_serving.signature.coercion import coerce
from services.model_serving.signature.findings import Findings, listing, refuse
from services.model_serving.signature.matrix import matrix_of_columns, matrix_of_rows
from services.model_serving.signature.model_input import ModelInput
from services.model_serving.signature.policy import STRICT, ReadPolicy
from services.model_serving.signature.table import Table, TableReader

_CONVERSIONS: dict[DataType, scalars.Convert] = {
    DataType.boolean: scalars.booleans,
    DataType.integer: scalars.integers(np.int32),
    DataType.long: scalars.integers(np.int64),
    DataType.float: scalars.floats(np.float32),
    DataType.double: scalars.floats(np.float64),
    DataType.string: scalars.strings,
    DataType.binary: scalars.blobs,
    DataType.datetime: scalars.datetimes,
}


class ColumnSignature:
    """Reads tables for a model with named or positional columns.

    Args:
        schema: the signature's inputs, made of `ColSpec`.
        max_rows: longer tables are refused.
    """

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self._types = dict(zip(_names(schema), schema.input_types(), strict=True))
        self._required = {name: spec.required for name, spec in zip(self._types, schema.inputs, strict=True)}
        self._optional = frozenset(name for name, required in self._required.items() if not required)
        self._table = TableReader(tuple(self._types), optional=self._optional, max_rows=max_rows)
        self._index = pd.Index(self._types)
        self._names = list(self._types)
        self._max_rows = max_rows
        self._only_doubles = all(kind == DataType.double for kind in self._types.values())

    def read(self, inputs: object, policy: ReadPolicy = STRICT) -> ModelInput:
        """Check and convert a table.

        Raises:
            InvalidInputs: it does not fit; the error names every wrong field, up to a limit.
        """
        if self._only_doubles:
            rows = self._table.plain_rows(inputs)
            matrix = None if rows is None else matrix_of_rows(rows, len(self._names))
            if matrix is not None:
                return ModelInput.of_matrix(matrix, self._index)
        return self._finish(self._table.read(inputs, policy), policy)

    def read_split(
        self, columns: Sequence[object] | None, rows: list[list[object]], policy: ReadPolicy = STRICT
    ) -> ModelInput:
        """Check and convert rows whose columns are named once, as in the "split" orientation of pandas.

        Args:
            columns: names in the order of each row; None for the order of the signature.
            rows: values.
            policy: how strictly.

        Raises:
            InvalidInputs: as in `read`.
        """
        if self._only_doubles and (columns is None or columns == self._names) and len(rows) <= self._max_rows:
            matrix = matrix_of_rows(rows, len(self._names))
            if matrix is not None:
                return ModelInput.of_matrix(matrix, self._index)
        return self._finish(self._table.read_split(columns, rows, policy), policy)

    def read_arrays(self, arrays: Mapping[str, Array] | Array, policy: ReadPolicy = STRICT) -> ModelInput:
        """Check and convert one array per column, or one array `(rows, columns)` in the order of the signature.

        Raises:
            InvalidInputs: a column is missing or unknown, or one does not fit its type without loss.
        """
        if isinstance(arrays, np.ndarray):
            return self._read_block(arrays)
        findings = Findings()
        for name in self._names:
            if name not in arrays and name not in self._optional:
                findings.add(f"body.inputs.{name}", "is missing")
        unknown = sorted(arrays.keys() - set(self._names))
        if unknown and policy.unknown_columns == "refuse":
            findings.add("body.inputs", f"has columns that the model does not have: {listing(unknown)}")
        findings.raise_any()
        present = {name: arrays[str(name)] for name in self._names if name in arrays}
        lengths = {len(array) for array in present.values() if array.ndim}
        if len(lengths) > 1:
            raise refuse("body.inputs", "has columns of different lengths")
        rows = lengths.pop() if lengths else 0
        self._table.check_rows(rows)
        cast = {name: cast_column(array, self._types[name], f"body.inputs.{name}") for name, array in present.items()}
        if self._only_doubles and len(cast) == len(self._names):
            return ModelInput.of_matrix(np.array(list(cast.values()), dtype=np.float64).T, self._index)
        return ModelInput(pd.DataFrame(cast, index=pd.RangeIndex(rows)), rows)

    def _read_block(self, array: Array) -> ModelInput:
        width = len(self._names)
        if array.ndim != 2 or array.shape[1] != width:  # noqa: PLR2004 (rows and columns)
            raise refuse("body.inputs", f"has shape {array.shape}; the model takes (rows, {width})")
        self._table.check_rows(len(array))
        if self._only_doubles:
            matrix = cast(array, np.dtype(np.float64), "body.inputs")
            return ModelInput.of_matrix(np.asfortranarray(matrix, dtype=np.float64), self._index)
        columns = {
            name: cast_column(array[:, position], self._types[name], f"body.inputs.{name}")
            for position, name in enumerate(self._names)
        }
        return ModelInput(pd.DataFrame(columns, index=pd.RangeIndex(len(array))), len(array))

    def _finish(self, table: Table, policy: ReadPolicy) -> ModelInput:
        if self._only_doubles and len(table.columns) == len(self._types):
            matrix = matrix_of_columns(list(table.columns.values()))
            if matrix is not None:
                return ModelInput.of_matrix(matrix, self._index)
        findings = Findings()
        columns = {}
        for position, (name, values) in enumerate(table.columns.items()):
            kind = self._types[name]
            given = coerce(values, kind) if policy.coerce and isinstance(kind, DataType) else values
            columns[name] = self._convert(table, position, name, given, findings)
        findings.raise_any()
        return ModelInput(pd.DataFrame(columns, index=pd.RangeIndex(table.rows)), table.rows)

    def _convert(
        self, table: Table, position: int, name: str | int, values: Sequence[object], findings: Findings
    ) -> scalars.Column:
        kind = self._types[name]
        if isinstance(kind, DataType):
            return _CONVERSIONS[kind](
                values, lambda row, message: findings.add(table.field(name, position, row), message)
            )
        for row, value in enumerate(values):
            path = table.field(name, position, row)
            nested.check(value, kind, required=self._required[name], path=path, complain=findings.add)
        return list(values)


def _names(schema: Schema) -> Sequence[str | int]:
    return schema.input_names() if schema.has_input_names() else range(len(schema.inputs))
