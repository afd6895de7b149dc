"""The numbers of an input as one array, for libraries that need no column names."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from services.model_serving.signature import ModelInput


def array_of(inputs: ModelInput) -> npt.NDArray[Any] | Any:  # noqa: ANN401 (what is no array goes to the model as it is)
    """Return a two-dimensional array where every column is a number, else the data itself.

    The array is what `DataFrame.to_numpy` gives, laid out by columns: a product of matrices then adds up in the order
    in which it does for MLflow, to the last bit.
    """
    if inputs.matrix is not None:
        return inputs.matrix
    data = inputs.data
    if isinstance(data, pd.DataFrame) and all(
        isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in data.dtypes
    ):
        return data.to_numpy()
    return data
