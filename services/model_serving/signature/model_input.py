"""What a model is called with."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Matrix = npt.NDArray[np.float64]
SMALL_ARRAY = 64 * 1024
"""Bytes."""


class ModelInput:
    """Inputs that fit the signature of a model.

    Args:
        data: what `pyfunc.predict` takes: a DataFrame, an array, arrays by name, or the caller's own list.
        rows: number of predictions to expect of a row-wise model.
    """

    __slots__ = ("_columns", "_data", "matrix", "rows")

    def __init__(self, data: Any, rows: int) -> None:  # noqa: ANN401 (a model may take anything)
        self._data = data
        self._columns: pd.Index[Any] | None = None
        self.rows = rows
        self.matrix: Matrix | None = None
        """`(rows, columns)`, when every column is a double and none is left out."""

    @classmethod
    def of_matrix(cls, matrix: Matrix, columns: "pd.Index[Any]") -> "ModelInput":
        """Make an input of doubles; it becomes a DataFrame only if somebody asks for one, which takes 0.1 ms."""
        given = cls(None, len(matrix))
        given.matrix = matrix
        given._columns = columns
        return given

    @property
    def data(self) -> Any:  # noqa: ANN401 (a model may take anything)
        """What `pyfunc.predict` takes."""
        if self._data is None and self.matrix is not None:
            self._data = pd.DataFrame(self.matrix, columns=self._columns, copy=False)
        return self._data

    @property
    def is_small(self) -> bool:
        """Whether the number of rows says how long a model takes: these are numbers, and few for each row."""
        if self.matrix is not None:
            return True
        arrays = self._data.values() if isinstance(self._data, dict) else [self._data]
        return all(isinstance(array, np.ndarray) and array.nbytes <= SMALL_ARRAY for array in arrays)

    @property
    def layout(self) -> Hashable:
        """Inputs of one model with equal layouts may be joined; None may not."""
        if self.matrix is not None:
            return "matrix"
        if isinstance(self._data, pd.DataFrame):
            return "frame", tuple(self._data.columns), tuple(self._data.dtypes)
        if isinstance(self._data, np.ndarray):
            return _shape(self._data)
        if isinstance(self._data, dict):
            return tuple((name, _shape(array)) for name, array in self._data.items())
        return None

    def join(self, others: "list[ModelInput]") -> "ModelInput":
        """Put the rows of others with the same layout behind these."""
        parts = [self, *others]
        if self.matrix is not None and self._columns is not None:
            return ModelInput.of_matrix(np.concatenate([part.matrix for part in parts]), self._columns)
        rows = sum(part.rows for part in parts)
        if isinstance(self._data, pd.DataFrame):
            return ModelInput(pd.concat([part.data for part in parts], ignore_index=True), rows)
        if isinstance(self._data, dict):
            return ModelInput({name: np.concatenate([part.data[name] for part in parts]) for name in self._data}, rows)
        return ModelInput(np.concatenate([part.data for part in parts]), rows)

    def take(self, start: int, stop: int) -> "ModelInput":
        """Return some of the rows, from `start` to before `stop`."""
        rows = slice(start, stop)
        if self.matrix is not None and self._columns is not None:
            return ModelInput.of_matrix(self.matrix[rows], self._columns)
        if isinstance(self._data, pd.DataFrame):
            return ModelInput(self._data.iloc[rows].reset_index(drop=True), stop - start)
        if isinstance(self._data, dict):
            return ModelInput({name: array[rows] for name, array in self._data.items()}, stop - start)
        return ModelInput(self._data[rows], stop - start)


def _shape(array: npt.NDArray[np.generic]) -> Hashable:
    return array.shape[1:], array.dtype.str
