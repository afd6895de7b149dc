"""What models answer: compared, counted and cut by rows."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def difference(left: Any, right: Any, tolerance: float) -> str | None:  # noqa: ANN401 (a model may answer anything)
    """Say how two answers differ, None when they do not.

    Args:
        left: one answer.
        right: the other.
        tolerance: most distance of two floats, relative to the largest in `right`; 0 compares bits.
    """
    if type(left) is not type(right):
        return f"a {type(left).__name__} in place of a {type(right).__name__}"
    if isinstance(right, pd.DataFrame):
        return _frames(left, right, tolerance)
    if isinstance(right, pd.Series):
        return _columns(left, right, tolerance) if left.index.equals(right.index) else "other rows"
    if isinstance(right, dict | list | tuple):
        return _parts(left, right, tolerance)
    if isinstance(right, np.ndarray | float | np.floating):
        return _arrays(np.asarray(left), np.asarray(right), tolerance)
    return None if left is right or bool(left == right) else "other values"


def count_rows(answer: Any) -> int | None:  # noqa: ANN401 (a model may answer anything)
    """Count the rows of an answer; None when it has no first dimension, or its parts have different ones."""
    if isinstance(answer, dict):
        counts = {count_rows(part) for part in answer.values()}
        return counts.pop() if len(counts) == 1 else None
    if isinstance(answer, np.ndarray):
        return len(answer) if answer.ndim else None
    return len(answer) if isinstance(answer, pd.DataFrame | pd.Series | list) else None


def cut_rows(answer: Any, start: int, stop: int) -> Any:  # noqa: ANN401 (a model may answer anything)
    """Return rows of an answer whose rows can be counted, in the form of an answer of their own."""
    if isinstance(answer, dict):
        return {name: cut_rows(part, start, stop) for name, part in answer.items()}
    if isinstance(answer, pd.DataFrame | pd.Series):
        return answer.iloc[start:stop].reset_index(drop=True)
    return answer[start:stop]


def _first(found: Iterable[str | None]) -> str | None:
    return next((text for text in found if text), None)


def _parts(left: Any, right: Any, tolerance: float) -> str | None:  # noqa: ANN401 (dicts or lists, both)
    if isinstance(right, dict):
        if list(left) != list(right):
            return "other keys"
        left, right = left.values(), right.values()
    elif len(left) != len(right):
        return f"{len(left)} entries in place of {len(right)}"
    return _first(difference(one, other, tolerance) for one, other in zip(left, right, strict=True))


def _frames(left: pd.DataFrame, right: pd.DataFrame, tolerance: float) -> str | None:
    if not (left.columns.equals(right.columns) and left.index.equals(right.index)):
        return "other columns or rows"
    columns = range(right.shape[1])
    return _first(_columns(left.iloc[:, column], right.iloc[:, column], tolerance) for column in columns)


def _columns(left: "pd.Series[Any]", right: "pd.Series[Any]", tolerance: float) -> str | None:
    if left.dtype != right.dtype:
        return f"{left.dtype} in place of {right.dtype}"
    if left.dtype.kind in "iufb":
        return _arrays(left.to_numpy(), right.to_numpy(), tolerance)
    return difference(left.tolist(), right.tolist(), tolerance)


def _arrays(left: npt.NDArray[Any], right: npt.NDArray[Any], tolerance: float) -> str | None:
    if left.dtype != right.dtype:
        return f"{left.dtype} in place of {right.dtype}"
    if left.shape != right.shape:
        return f"shape {left.shape} in place of {right.shape}"
    if left.dtype.kind == "O":
        return difference(left.tolist(), right.tolist(), tolerance)
    if left.tobytes() == right.tobytes():
        return None
    if left.dtype.kind != "f" or not tolerance:
        return "other values" if left.dtype.kind != "f" or not _same_numbers(left, right) else None
    finite = np.abs(right[np.isfinite(right)])
    largest = float(finite.max()) if finite.size else 0.0
    close = np.isclose(left, right, rtol=0.0, atol=tolerance * largest, equal_nan=True)
    return None if close.all() else "other values"


def _same_numbers(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> bool:
    """NaN has many bit patterns that mean the same; zero has two that do not."""
    unknown = np.isnan(right)
    same = np.array_equal(np.isnan(left), unknown)
    return bool(same and left[~unknown].tobytes() == right[~unknown].tobytes())
