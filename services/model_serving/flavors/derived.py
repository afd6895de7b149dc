"""Inputs made from a model's input example, to compare two ways of calling the model on more than one point.

An example that stays as it is proves little: a column that is null only sometimes, a tree that has another branch, a
product of matrices that adds up in another order for two rows than for one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from mlflow.types.schema import DataType, Schema, TensorSpec

SEVERAL = 6
"""Rows of a derived table."""
_FACTORS = (1.0, 0.5, 1.75, -1.0, 3.0, 0.0)
_FLOATS = frozenset({DataType.double, DataType.float})
_INTEGERS = frozenset({DataType.integer, DataType.long})
_ANY_LENGTH = -1
Columns: TypeAlias = Mapping[str | int, Sequence[object]]


class Example(Protocol):
    """An input example whose rows can be told apart."""

    def several(self) -> object:
        """Return a few rows that differ from each other, in the form in which a caller sends them."""

    def apart(self) -> list[object]:
        """Return the same rows, each as a call of its own."""

    def variants(self) -> Iterator[tuple[str, object]]:
        """Walk over further inputs, each with a name. Some may not fit the signature; a caller would be told so."""


def example_rows(inputs: object, schema: Schema | None) -> Example | None:
    """Tell the rows of an example apart; None when that cannot be done."""
    if schema is None:
        return ListExample(inputs) if isinstance(inputs, list) and inputs else None
    if schema.is_tensor_spec():
        return _tensors(inputs, schema)
    return _table(inputs, schema)


@dataclass(frozen=True)
class TableExample:
    """Columns by name or position.

    Attributes:
        columns: their values, at least one.
        types: their types; a column of lists or objects has none of the scalar ones.
        optional: columns that a caller may leave out.
        named: whether a caller may name them.
    """

    columns: Columns
    types: Mapping[str | int, object]
    optional: frozenset[str | int]
    named: bool

    def several(self) -> object:
        """Return rows whose numbers differ."""
        return self._given(self._varied().columns)

    def apart(self) -> list[object]:
        """Return the same rows, one by one."""
        columns = self._varied().columns
        return [
            self._given({name: values[row : row + 1] for name, values in columns.items()}) for row in range(SEVERAL)
        ]

    def variants(self) -> Iterator[tuple[str, object]]:
        """Walk over one row, several, whole numbers, nulls, and left out columns."""
        first, varied = {name: values[:1] for name, values in self.columns.items()}, self._varied()
        yield "one row", self._given(first)
        yield "several rows", self._given(varied.columns)
        floats = [name for name in self.columns if _is_one(self.types[name], _FLOATS)]
        if floats:
            whole = {name: [_whole(value) for value in varied.columns[name]] for name in floats}
            yield "whole numbers in columns of doubles", self._given({**varied.columns, **whole})
            yield "nulls", self._given(_with_nulls(varied.columns, floats))
            yield "nulls only", self._given({**first, **{name: [None] for name in floats}})
        nullable = [name for name in self.columns if name in self.optional and name not in floats]
        if nullable:
            yield "nulls in optional columns", self._given(_with_nulls(varied.columns, nullable))
        if 0 < len(self.optional & self.columns.keys()) < len(self.columns):
            kept = {name: values for name, values in varied.columns.items() if name not in self.optional}
            yield "without the optional columns", self._given(kept)

    def _varied(self) -> "TableExample":
        columns = {name: self._vary(values, self.types[name]) for name, values in self.columns.items()}
        return replace(self, columns=columns)

    def _vary(self, values: Sequence[object], kind: object) -> list[object]:
        cycled = [values[row % len(values)] for row in range(SEVERAL)]
        if _is_one(kind, _FLOATS):
            return [_scaled(value, factor) for value, factor in zip(cycled, _FACTORS, strict=True)]
        if _is_one(kind, _INTEGERS):
            return [value + row % 3 if type(value) is int else value for row, value in enumerate(cycled)]
        return cycled

    def _given(self, columns: Columns) -> object:
        if self.named:
            return {name: list(values) for name, values in columns.items()}
        return [list(row) for row in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class TensorExample:
    """Arrays whose first dimension has any length, by name; a lone one has the name None."""

    arrays: Mapping[str | None, npt.NDArray[Any]]

    def several(self) -> object:
        """Return entries whose numbers differ; integers and text are the example's own, for they may be indices."""
        return self._given(self._varied())

    def apart(self) -> list[object]:
        """Return the same entries, one by one."""
        arrays = self._varied()
        return [
            self._given({name: array[entry : entry + 1] for name, array in arrays.items()}) for entry in range(SEVERAL)
        ]

    def variants(self) -> Iterator[tuple[str, object]]:
        """Walk over one entry, several, whole numbers, and NaN."""
        varied = self._varied()
        yield "one row", self._given({name: array[:1] for name, array in self.arrays.items()})
        yield "several rows", self._given(varied)
        if any(array.dtype.kind == "f" for array in varied.values()):
            yield "whole numbers", self._given({name: _rounded(array) for name, array in varied.items()})
            yield "NaN", self._given({name: _holed(array) for name, array in varied.items()})

    def _varied(self) -> dict[str | None, npt.NDArray[Any]]:
        return {name: _varied_entries(array) for name, array in self.arrays.items()}

    def _given(self, arrays: Mapping[str | None, npt.NDArray[Any]]) -> object:
        given = {name: array.tolist() for name, array in arrays.items()}
        return given.get(None, given)


@dataclass(frozen=True)
class ListExample:
    """Entries of any kind, of a model without a signature."""

    entries: list[object]

    def several(self) -> object:
        """Return the entries, repeated."""
        return [self.entries[row % len(self.entries)] for row in range(SEVERAL)]

    def apart(self) -> list[object]:
        """Return the same entries, one by one."""
        return [[self.entries[row % len(self.entries)]] for row in range(SEVERAL)]

    def variants(self) -> Iterator[tuple[str, object]]:
        """Walk over one entry and several."""
        yield "one row", self.entries[:1]
        yield "several rows", self.several()


def _with_nulls(columns: Columns, names: Sequence[str | int]) -> Columns:
    """Put a null into some rows of each of these columns, so that rows of many kinds come about."""
    changed = dict(columns)
    for position, name in enumerate(names):
        values = list(columns[name])
        values[position % len(values)] = None
        values[(position * 3 + 1) % len(values)] = None
        changed[name] = values
    return changed


def _table(inputs: object, schema: Schema) -> TableExample | None:
    named = schema.has_input_names()
    names: list[str | int] = list(schema.input_names() if named else range(len(schema.inputs)))
    if isinstance(inputs, dict):
        columns = {name: inputs[name] for name in names if name in inputs}
    elif isinstance(inputs, list) and inputs and all(isinstance(row, dict) for row in inputs):
        columns = {name: [row.get(name) for row in inputs] for name in names if any(name in row for row in inputs)}
    elif isinstance(inputs, list) and len(names) == 1 and not any(isinstance(row, list) for row in inputs):
        columns = {names[0]: inputs}
    elif isinstance(inputs, list) and all(isinstance(row, list) for row in inputs):
        columns = dict(zip(names, map(list, zip(*inputs, strict=True)), strict=False))
    else:
        return None
    lists = columns and all(isinstance(values, list) and values for values in columns.values())
    if not lists or len(set(map(len, columns.values()))) != 1:
        return None
    types = dict(zip(names, schema.input_types(), strict=True))
    optional = frozenset(name for name, spec in zip(names, schema.inputs, strict=True) if not spec.required)
    return TableExample(columns, types, optional, named)


def _tensors(inputs: object, schema: Schema) -> TensorExample | None:
    specs: list[TensorSpec] = list(schema.inputs)
    if any(spec.shape[0] != _ANY_LENGTH for spec in specs):
        return None
    if not schema.has_input_names():
        inputs = {None: inputs}
    if not isinstance(inputs, dict) or any(spec.name not in inputs for spec in specs):
        return None
    arrays = {spec.name: np.asarray(inputs[spec.name], dtype=_known(spec)) for spec in specs}
    return TensorExample(arrays) if all(len(array) for array in arrays.values()) else None


def _known(spec: TensorSpec) -> npt.DTypeLike:
    return spec.type if spec.type.kind in "fiub" else object


def _varied_entries(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    cycled = array[np.arange(SEVERAL) % len(array)]
    if array.dtype.kind == "f":
        factors = np.asarray(list(islice(_FACTORS, SEVERAL)), dtype=array.dtype)
        return np.asarray(cycled * factors.reshape(-1, *[1] * (array.ndim - 1)))
    if array.dtype.kind in "iu":  # the same numbers elsewhere: an index of the example's is one of the model's
        return np.stack([np.roll(entry, row) for row, entry in enumerate(cycled)])
    return cycled


def _rounded(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.round(array) if array.dtype.kind == "f" else array


def _holed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    flat = array.reshape(-1).copy()
    flat[:: max(2, flat.size // SEVERAL)] = np.nan
    return flat.reshape(array.shape)


def _is_one(kind: object, scalars: frozenset[DataType]) -> bool:
    """Whether a column is of these types; one of lists or objects has a type that cannot be hashed."""
    return isinstance(kind, DataType) and kind in scalars


def _scaled(value: object, factor: float) -> object:
    return value * factor if isinstance(value, int | float) else value


def _whole(value: object) -> object:
    return round(value) if isinstance(value, int | float) and np.isfinite(value) else value
