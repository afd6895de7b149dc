"""What models answer, as columns of arrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from services.model_serving.engine.plain import render

PREDICTION = "prediction"
PLAIN = (str, int, float, bool, type(None))
JSON = pa.large_string()
"""The type of a column that has no other: objects, lists, values of several kinds. Texts are `pa.string()`, so that one
which a model answered is not taken for what JSON in it says."""


class NotRowWiseError(Exception):
    """The answer has not one entry for each row, so it cannot be told whose is whose."""


def columns_of(answer: Any, rows: int) -> dict[str, pa.Array]:  # noqa: ANN401 (a model may answer anything)
    """Return the columns of an answer: `prediction`, or `prediction_` and a name or number for each of several.

    Raises:
        NotRowWiseError: It has another number of rows.
        ModelFailedError: It has no form that a file could have.
    """
    named = _named(answer)
    if any(_length(values) != rows for values in named.values()):
        raise NotRowWiseError
    return {name: _array(values) for name, values in named.items()}


def _named(answer: Any) -> dict[str, Any]:  # noqa: ANN401 (a model may answer anything)
    if isinstance(answer, pd.DataFrame):
        return {f"{PREDICTION}_{name}": answer.iloc[:, place] for place, name in enumerate(answer.columns)}
    if isinstance(answer, dict) and answer:
        return {f"{PREDICTION}_{name}": values for name, values in answer.items()}
    if isinstance(answer, np.ndarray) and answer.ndim == 2:  # noqa: PLR2004 (rows and columns)
        return {f"{PREDICTION}_{place}": answer[:, place] for place in range(answer.shape[1])}
    return {PREDICTION: answer}


def _length(values: Any) -> int | None:  # noqa: ANN401 (a model may answer anything)
    if isinstance(values, np.ndarray):
        return len(values) if values.ndim else None
    return len(values) if isinstance(values, list | pd.Series | pd.Index) else None


def _array(values: Any) -> pa.Array:  # noqa: ANN401 (as above, one-dimensional or nested)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biufM":
        return pa.array(values)
    plain: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray | pd.Series | pd.Index) else values
    if all(isinstance(value, PLAIN) for value in plain):
        try:
            return pa.array(plain)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            pass  # of several kinds
    return pa.array([None if value is None else render(value).decode() for value in plain], JSON)
