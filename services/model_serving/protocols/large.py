"""Answers that take long to write."""

from typing import Any

import numpy as np
import pandas as pd

LARGE_ANSWER = 20_000
"""Values above which an answer is written in a thread, so that others need not wait for it."""


def is_large(predictions: Any) -> bool:  # noqa: ANN401 (a model may answer anything)
    """Whether an answer is to be written in a thread."""
    if isinstance(predictions, np.ndarray):
        return predictions.size > LARGE_ANSWER
    return _count(predictions) > LARGE_ANSWER


def _count(part: Any) -> int:  # noqa: ANN401 (a model may answer anything)
    """Count values; the entries of a list are taken to be like its first."""
    if isinstance(part, np.ndarray | pd.DataFrame | pd.Series):
        return int(part.size)
    if isinstance(part, dict):
        return sum(map(_count, part.values()))
    if isinstance(part, list | tuple) and part:
        return len(part) * _count(part[0])
    return 1
