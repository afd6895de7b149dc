"""How a shadow's answer differs from the one that the caller got."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to the same rows.

    Attributes:
        rows: how many.
        agreed: of them, those in which every value agrees.
        differences: absolute differences of the numbers, row by row; classes have none.
    """

    rows: int
    agreed: int
    differences: NDArray[np.float64]


def compare(primary: object, shadow: object, tolerance: float) -> Comparison | None:
    """Compare two answers; None when they are not of one shape.

    Args:
        primary: what the caller got.
        shadow: what the shadow said.
        tolerance: numbers agree when they differ by no more, relative to the greater one; NaN agrees with NaN.
    """
    ours, theirs = _columns(primary), _columns(shadow)
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return None
    if any(ours[name].shape != theirs[name].shape for name in ours):
        return None
    rows = len(next(iter(ours.values()))) if ours else 0
    agreed = np.ones(rows, dtype=bool)
    differences = []
    for name, values in ours.items():
        same, apart = _compare(values, theirs[name], tolerance)
        agreed &= same.reshape(rows, -1).all(axis=1) if rows else same
        differences.append(apart.ravel())
    found = np.concatenate(differences) if differences else np.empty(0)
    return Comparison(rows, int(agreed.sum()), found[np.isfinite(found)])


def _compare(ours: Values, theirs: Values, tolerance: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    kinds = {ours.dtype.kind, theirs.dtype.kind}
    if "f" not in kinds or not kinds <= set("biuf"):
        same = np.asarray(ours == theirs, dtype=bool) | (pd.isna(ours) & pd.isna(theirs))
        return np.broadcast_to(same, ours.shape), np.empty(0)
    both_nan = np.isnan(ours) & np.isnan(theirs)
    with np.errstate(invalid="ignore"):  # infinity less infinity, and none of infinity
        apart = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
        near = apart <= tolerance * np.maximum(np.abs(ours), np.abs(theirs))
    return near | (ours == theirs) | both_nan, apart


def _columns(answer: object) -> dict[str, Values] | None:
    if isinstance(answer, pd.DataFrame):
        return {str(name): answer[name].to_numpy() for name in answer.columns}
    if isinstance(answer, dict):
        return {str(name): np.atleast_1d(np.asarray(values)) for name, values in answer.items()}
    if isinstance(answer, pd.Series | pd.Index):
        return {"": answer.to_numpy()}
    if isinstance(answer, np.ndarray | np.generic | list | tuple | int | float | str):
        return {"": np.atleast_1d(_array(answer))}
    return None


def _array(answer: object) -> Values:
    try:
        return np.asarray(answer)
    except ValueError:  # lists of different lengths
        return np.asarray(answer, dtype=object)
