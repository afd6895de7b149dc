"""The rows that a linear model's columns are compared with.

Behind steps that keep columns apart only the distribution of each column counts, not what goes with what. So the
quantiles and counts of a reference profile stand for the training data.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.types.schema import DataType

from mlplatform.monitoring.profile import ColumnProfile, Profile
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.explanation.explanation import Background, Table

ROWS = 1024
"""Rows made of a profile."""
TRUE = "true"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to compare with.

    Attributes:
        table: as a caller would send them.
        source: where they are from.
    """

    table: Table
    source: Background


def backgrounds_of(model: LoadedModel, profile: Profile | None) -> Iterator[Rows]:
    """Yield what a model's columns may be compared with, the best first."""
    table = None if profile is None else _of_profile(model, profile)
    if table is not None:
        yield Rows(table, "reference_profile")
    if model.example is not None:
        example = model.signature.inputs.read(model.example.inputs).data
        if isinstance(example, pd.DataFrame | np.ndarray) and len(example):
            yield Rows(example, "input_example")


def _of_profile(model: LoadedModel, profile: Profile) -> pd.DataFrame | None:
    """Make a table whose columns are distributed as those of the profile; None when it does not describe them all."""
    types = _types(model)
    if not types or not types.keys() <= profile.inputs.keys():
        return None
    try:
        columns = {name: _values(profile.inputs[name], kind) for name, kind in types.items()}
        return pd.DataFrame(columns).astype(types)
    except (ValueError, TypeError):  # the profile holds what the column's type does not
        return None


def _types(model: LoadedModel) -> dict[str, np.dtype[np.generic]]:
    """Return the types of named columns, text as objects; nothing for a model that takes something else."""
    schema = None if model.declared is None else model.declared.inputs
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return {}
    kinds = schema.input_types()
    if not all(isinstance(kind, DataType) for kind in kinds):
        return {}
    return {
        name: np.dtype(object) if kind == DataType.string else kind.to_numpy()
        for name, kind in zip(schema.input_names(), kinds, strict=True)
    }


def _values(column: ColumnProfile, kind: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    if column.kind == "text" or kind.kind not in "fiubO":
        raise TypeError("lengths and seconds are not the values")
    values = _categories(column, kind) if column.kind == "categorical" else _numbers(column)
    missing = round(ROWS * column.missing / column.rows)
    if not missing:
        return values
    with_holes = values.astype(np.float64 if kind.kind == "f" else object)
    with_holes[np.linspace(0, ROWS - 1, missing).astype(int)] = np.nan if kind.kind == "f" else None
    return with_holes


def _numbers(column: ColumnProfile) -> npt.NDArray[np.generic]:
    """Spread the quantiles over the rows; by the trapezoidal rule the first and the last count half."""
    inner = np.repeat(np.asarray(column.quantiles), 2)[1:-1]
    spread: npt.NDArray[np.generic] = inner[np.linspace(0, len(inner) - 1, ROWS).round().astype(int)]
    return spread


def _categories(column: ColumnProfile, kind: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Spread the categories over the rows by their counts; the rare ones, which have no names here, are left out."""
    ends = np.cumsum(column.counts[: len(column.categories)])
    places = np.searchsorted(ends / ends[-1], (np.arange(ROWS) + 0.5) / ROWS)
    names = np.asarray(column.categories, dtype=object)[places]
    if kind.kind == "b":
        return np.asarray([name.lower() == TRUE for name in names])
    return names.astype(np.float64) if kind.kind in "fiu" else names
