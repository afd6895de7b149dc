"""Column-based signatures: a JSON table to the DataFrame that the model declares."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.types.schema import DataType, Schema

from services.model_serving.signature import nested, scalars
from services.model_serving.signature.findings import Findings
from services.model_serving.signature.model_input import ModelInput
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
_NUMBERS_OR_NULL = frozenset({float, int, type(None)})


class ColumnSignature:
    """Reads tables for a model with named or positional columns.

    Args:
        schema: the signature's inputs, made of `ColSpec`.
        max_rows: longer tables are refused.
    """

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self._types = dict(zip(_names(schema), schema.input_types(), strict=True))
        self._required = {name: spec.required for name, spec in zip(self._types, schema.inputs, strict=True)}
        optional = frozenset(name for name, required in self._required.items() if not required)
        self._table = TableReader(tuple(self._types), optional=optional, max_rows=max_rows)
        self._index = pd.Index(self._types)
        self._only_doubles = all(kind == DataType.double for kind in self._types.values())

    def read(self, inputs: object) -> ModelInput:
        """Check and convert a table.

        Raises:
            InvalidInputs: it does not fit; the error names every wrong field, up to a limit.
        """
        table = self._table.read(inputs)
        if self._only_doubles and len(table.columns) == len(self._types):
            matrix = _matrix(list(table.columns.values()))
            if matrix is not None:
                return ModelInput(pd.DataFrame(matrix, columns=self._index, copy=False), table.rows, matrix)
        return ModelInput(self._frame(table), table.rows)

    def _frame(self, table: Table) -> pd.DataFrame:
        findings = Findings()
        columns = {}
        for position, (name, values) in enumerate(table.columns.items()):
            columns[name] = self._convert(table, position, name, values, findings)
        findings.raise_any()
        return pd.DataFrame(columns, index=pd.RangeIndex(table.rows))

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


def _matrix(columns: list[Sequence[object]]) -> npt.NDArray[np.float64] | None:
    """Convert at once when every value is a finite number or null; else None, and the slow path says what is wrong.

    The matrix is column-major, as in a DataFrame that MLflow builds: a matrix product adds up in the same order, so
    predictions are equal to the last bit.
    """
    if not set(map(type, chain.from_iterable(columns))) <= _NUMBERS_OR_NULL:
        return None
    try:
        block = np.array(columns, dtype=np.float64)
    except OverflowError:  # an integer beyond 1e308
        return None
    return None if np.isinf(block).any() else block.T
