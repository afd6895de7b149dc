"""The reference profile of a model: what its inputs and predictions looked like in training."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mlplatform.monitoring.columns import PREDICTION, Column, Columns, to_columns
from mlplatform.monitoring.values import Kind, Numbers, Values, as_category, as_numbers, find_kind, read_values

FORMAT = 1
GRID = 513
"""Points of the stored distribution function: it is off by 1/512 at most."""
BINS = 10
"""Bins of equal share in training, the usual number for a PSI."""
CATEGORIES = 50
"""Categories with a count of their own; the rest are one."""


class InvalidProfile(ValueError):
    """A profile cannot be made of this, or this is no profile."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in training.

    Attributes:
        kind: A `text` is described by its lengths, as numbers.
        rows: Rows, missing ones included.
        missing: Rows without a value.
        quantiles: Of a number: values at equal steps of probability, from the least to the greatest.
        edges: Of a number: upper ends of all bins but the last.
        categories: Of a category: the most frequent ones, most frequent first.
        counts: Rows in each bin; of a category one more, for the rest.
    """

    kind: Kind
    rows: int
    missing: int
    quantiles: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    def count(self, values: Values) -> tuple[int, ...]:
        """Count other values in the bins of this column."""
        if self.kind == "categorical":
            return count_categories((as_category(value) for value in values.present), self.categories)
        return count_numbers(self.numbers(values), self.edges)

    def numbers(self, values: Values) -> Numbers:
        """Return values as the numbers that this column is described by."""
        return as_numbers(values, lengths=self.kind == "text")


@dataclass(frozen=True, slots=True)
class Profile:
    """Inputs and predictions in training."""

    inputs: Mapping[str, ColumnProfile]
    predictions: Mapping[str, ColumnProfile]

    def dumps(self) -> str:
        """Write as JSON."""
        return json.dumps({"format": FORMAT, "inputs": _plain(self.inputs), "predictions": _plain(self.predictions)})

    @classmethod
    def loads(cls, text: str | bytes) -> "Profile":
        """Read what :meth:`dumps` wrote.

        Raises:
            InvalidProfile: it is something else.
        """
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise InvalidProfile(f"the profile has format {document['format']!r}, this code reads {FORMAT}")
            return cls(_read(document["inputs"]), _read(document["predictions"]))
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise InvalidProfile("the file is no profile that this platform wrote") from error


def make_profile(inputs: object, predictions: object = None, *, exclude: Iterable[str] = ()) -> Profile:
    """Describe a table of inputs and what the model predicts for it.

    Args:
        inputs: The rows the model was trained on, or a sample of what it is meant for: a DataFrame, an array, records.
        predictions: The model's answers, best on rows it has not seen; none when left out.
        exclude: Input columns to leave out, such as those with personal data.

    Raises:
        InvalidProfile: there is no row, or no column that can be described.
    """
    left_out = frozenset(exclude)
    columns = {name: column for name, column in to_columns(inputs).items() if name not in left_out}
    profile = Profile(_describe(columns), _describe(to_columns(predictions, single=PREDICTION)))
    if not profile.inputs and not profile.predictions:
        raise InvalidProfile("there is no column of numbers, categories or text to describe")
    return profile


def describe_column(column: Column) -> ColumnProfile | None:
    """Describe one column; None when it is empty or holds lists and objects."""
    values = read_values(column)
    kind = find_kind(values)
    if kind is None:
        return None
    if kind == "categorical":
        counts = Counter(as_category(value) for value in values.present)
        names = tuple(name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:CATEGORIES])
        return ColumnProfile(
            kind, values.rows, values.missing, categories=names, counts=count_categories(counts.elements(), names)
        )
    numbers = as_numbers(values, lengths=kind == "text")
    if not len(numbers):
        return None
    grid = np.quantile(numbers, np.linspace(0, 1, GRID), method="inverted_cdf")
    inner = np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf")
    edges = tuple(float(edge) for edge in np.unique(inner[inner < numbers.max()]))
    quantiles = tuple(float(value) for value in grid)
    missing = values.rows - len(numbers)
    return ColumnProfile(kind, values.rows, missing, quantiles, edges, (), count_numbers(numbers, edges))


def count_numbers(numbers: Numbers, edges: Iterable[float]) -> tuple[int, ...]:
    """Count numbers by bin; an edge belongs to the bin that it ends."""
    ends = np.asarray(tuple(edges), dtype=np.float64)
    bins = np.searchsorted(ends, numbers, side="left")
    return tuple(int(count) for count in np.bincount(bins, minlength=len(ends) + 1))


def count_categories(names: Iterable[str], categories: Iterable[str]) -> tuple[int, ...]:
    """Count names by category, all others last."""
    known = tuple(categories)
    counts = Counter(names)
    of_known = tuple(counts.get(name, 0) for name in known)
    return (*of_known, counts.total() - sum(of_known))


def _describe(columns: Columns) -> dict[str, ColumnProfile]:
    described = {name: describe_column(column) for name, column in columns.items()}
    return {name: profile for name, profile in described.items() if profile is not None}


def _plain(columns: Mapping[str, ColumnProfile]) -> dict[str, object]:
    return {name: asdict(profile) for name, profile in columns.items()}


def _read(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, ColumnProfile]:
    return {name: _read_column(stored) for name, stored in columns.items()}


def _read_column(stored: Mapping[str, Any]) -> ColumnProfile:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    return ColumnProfile(**fields)
