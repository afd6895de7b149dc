"""What a model is called with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class ModelInput:
    """Inputs that fit the signature of a model.

    Attributes:
        data: what `pyfunc.predict` takes: a DataFrame, an array, arrays by name, or the caller's own list.
        rows: number of predictions to expect of a row-wise model.
        matrix: `(rows, columns)`, the same numbers as `data`, when every column is a double.
    """

    data: object
    rows: int
    matrix: npt.NDArray[np.float64] | None = None
