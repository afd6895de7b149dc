"""Inputs and predictions of any form, as columns by name."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

Column: TypeAlias = npt.NDArray[Any]
Columns: TypeAlias = dict[str, Column]
PREDICTION = "prediction"
INPUT = "input"
TABLE_DIMENSIONS = 2


def to_columns(data: object, names: Sequence[str] = (), *, single: str = INPUT) -> Columns:
    """Take a table apart.

    Args:
        data: A DataFrame, a Series, an array of one or two dimensions, arrays by name, or a list of scalars, records or
            rows. What has more dimensions, such as images, has no columns.
        names: Names of the columns of an array.
        single: Name of the column of what has but one.

    Returns:
        Columns of equal length by name; none for what has no such form.
    """
    if isinstance(data, pd.DataFrame):
        return {str(name): data[name].to_numpy() for name in data.columns}
    if isinstance(data, pd.Series | pd.Index):
        return {single: data.to_numpy()}
    if isinstance(data, np.ndarray):
        return _of_array(data, names, single)
    if isinstance(data, Mapping):
        return _of_mapping(data)
    if isinstance(data, list | tuple):
        return _of_list(data, names, single)
    return {}


def take(columns: Mapping[str, Column], rows: Sequence[int] | npt.NDArray[np.int_]) -> Columns:
    """Keep some rows."""
    return {name: values[rows] for name, values in columns.items()}


def _of_array(data: Column, names: Sequence[str], single: str) -> Columns:
    if data.ndim == 1:
        return {names[0] if len(names) == 1 else single: data}
    if data.ndim != TABLE_DIMENSIONS:
        return {}
    if data.shape[1] == 1 and len(names) != 1:
        return {single: data[:, 0]}
    known = names if len(names) == data.shape[1] else [str(number) for number in range(data.shape[1])]
    return {name: data[:, position] for position, name in enumerate(known)}


def _of_mapping(data: Mapping[Any, Any]) -> Columns:
    columns: Columns = {}
    for name, values in data.items():
        if isinstance(values, np.ndarray | list | pd.Series):
            found = to_columns(values, single=str(name))
            columns |= {key if key == str(name) else f"{name}.{key}": column for key, column in found.items()}
    return columns if len({len(column) for column in columns.values()}) <= 1 else {}


def _of_list(data: Sequence[Any], names: Sequence[str], single: str) -> Columns:
    if not data:
        return {}
    if all(isinstance(row, Mapping) for row in data):
        return to_columns(pd.DataFrame(list(data)))
    if all(isinstance(row, list | tuple) for row in data):
        if len({len(row) for row in data}) != 1:
            return {}
        known = names if len(names) == len(data[0]) else [str(number) for number in range(len(data[0]))]
        return {name: _objects([row[position] for row in data]) for position, name in enumerate(known)}
    return {single: _objects(data)}


def _objects(values: Sequence[Any]) -> Column:
    """Make an array of objects, also of values that are lists themselves."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
