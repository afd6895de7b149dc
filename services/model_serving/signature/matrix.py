"""Tables of doubles to one array, without a step per value in Python."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from services.model_serving.signature.model_input import Matrix

_NUMBERS_OR_NULL = frozenset({float, int, type(None)})


def matrix_of_rows(rows: Sequence[Sequence[object]], width: int) -> Matrix | None:
    """Convert rows when each has `width` finite numbers or nulls; else None, and a slower reader says what is wrong.

    The array is column-major, as in a DataFrame that MLflow builds: a matrix product adds up in the same order, so
    predictions are equal to the last bit.
    """
    if not rows or set(map(len, rows)) != {width}:
        return None
    block = _block(rows)
    return None if block is None else np.asfortranarray(block)


def matrix_of_columns(columns: Sequence[Sequence[object]]) -> Matrix | None:
    """Convert columns of equal length, by the same rules."""
    block = _block(columns)
    return None if block is None else block.T


def _block(lists: Sequence[Sequence[object]]) -> Matrix | None:
    if not set(map(type, chain.from_iterable(lists))) <= _NUMBERS_OR_NULL:
        return None
    try:
        block = np.array(lists, dtype=np.float64)
    except OverflowError:  # an integer beyond 1e308
        return None
    return None if np.isinf(block).any() else block
