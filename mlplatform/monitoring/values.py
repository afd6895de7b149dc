"""The values of one column, with what is missing told apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlplatform.monitoring.columns import Column

Kind = Literal["numeric", "categorical", "text"]
Numbers = npt.NDArray[np.float64]

FEW = 20
"""Whole numbers with no more distinct values than this are categories."""
MANY = 100
"""Text with more distinct values than this is described by its lengths."""
TEXT_LENGTH = 1000
"""Signs of a text that are looked at, which are as many as the log keeps."""
SAMPLE = 1000
"""Values that are looked at to tell what a column holds."""


@dataclass(frozen=True, slots=True)
class Values:
    """What a column holds besides what is missing.

    Attributes:
        rows: Rows, missing ones included.
        present: The values that are there.
    """

    rows: int
    present: Column

    @property
    def missing(self) -> int:
        """Rows without a value; a number that is not finite counts as missing."""
        return self.rows - len(self.present)


def read_values(column: Column) -> Values:
    """Tell what is missing from what is there."""
    if column.dtype.kind in "fc":
        return Values(len(column), column[np.isfinite(column)])
    if column.dtype.kind in "biu":
        return Values(len(column), column)
    there = ~np.asarray(pd.isna(pd.Series(column, dtype=object)))
    present = column[there]
    numbers = present.dtype == object and all(isinstance(value, float) for value in present)
    if numbers:
        present = present[[math.isfinite(value) for value in present]]
    return Values(len(column), present)


def find_kind(values: Values) -> Kind | None:
    """Say how a column is best described; None for one that is empty or holds lists and objects."""
    sample = list(values.present[:SAMPLE])
    if not sample:
        return None
    if values.present.dtype.kind in "mM" or _all(sample, datetime, date):
        return "numeric"
    if _all(sample, bool, np.bool_):
        return "categorical"
    if _all(sample, int, float, np.number):
        return "categorical" if _few_whole(as_numbers(values)) else "numeric"
    if _all(sample, str, int, float, np.generic):
        return "categorical" if len({as_category(value) for value in values.present}) <= MANY else "text"
    return None


def as_numbers(values: Values, *, lengths: bool = False) -> Numbers:
    """Return what is there as numbers, and a text as its length where asked.

    A time becomes seconds since 1970 (UTC unless it says otherwise), a span of time seconds. What is no number
    is left out.
    """
    if values.present.dtype.kind in "biuf":
        return values.present.astype(np.float64)
    if values.present.dtype.kind in "mM":
        return values.present.astype(f"{values.present.dtype.kind}8[us]").astype(np.int64) / 1e6
    numbers = [_as_number(value, lengths=lengths) for value in values.present]
    return np.array([number for number in numbers if math.isfinite(number)], dtype=np.float64)


def as_category(value: object) -> str:
    """Name a category; `1`, `1.0` and numpy's own ones are the same."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)[:TEXT_LENGTH]


def _as_number(value: object, *, lengths: bool) -> float:
    if lengths:
        return float(min(len(str(value)), TEXT_LENGTH))
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, str):
        stamp = pd.to_datetime(value, errors="coerce", utc=True)
        return stamp.timestamp() if isinstance(stamp, pd.Timestamp) else float("nan")
    if isinstance(value, int | float | np.number):
        return float(value)
    return float("nan")


def _all(sample: Sequence[object], *types: type) -> bool:
    return all(isinstance(value, types) for value in sample)


def _few_whole(numbers: Numbers) -> bool:
    return bool((numbers == np.round(numbers)).all()) and len(np.unique(numbers)) <= FEW
