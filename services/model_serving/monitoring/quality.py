"""How good predictions were, by the labels that came in for them; each figure with a 95 % interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import orjson
from scipy import stats
from sklearn.metrics import f1_score

from mlplatform.monitoring.values import Numbers, as_category

Task = Literal["classification", "regression"]
Pair = tuple[Any, Any]

CONFIDENCE = 0.95
RESAMPLES = 400
MOST_CLASSES = 50
SEED = 20_170


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure with its interval."""

    value: float
    low: float
    high: float

    @property
    def is_finite(self) -> bool:
        """Whether the measure and its interval are numbers that can be stored."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True, slots=True)
class Quality:
    """How good one version was on one route.

    Attributes:
        labels: Pairs of a prediction and a label.
        incomparable: Labels of another form than the prediction.
        metrics: By name; one that is too large for a number is left out.
    """

    version: str
    route: str
    task: Task
    labels: int
    incomparable: int
    metrics: Mapping[str, Figure]


def measure(rows: Sequence[Mapping[str, Any]], tasks: Mapping[str, str | None]) -> list[Quality]:
    """Measure each version and route.

    Args:
        rows: Labels with what was logged of the predictions.
        tasks: What versions predict, as far as a tag says so.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["version"], row["route"]), []).append(row)
    found = []
    for (version, route), of_group in sorted(groups.items()):
        pairs: list[Pair] = []
        incomparable = 0
        for row in of_group:
            of_row = list(match(predicted(row), orjson.loads(row["label"])))
            pairs += of_row
            incomparable += not of_row
        task = find_task(pairs, tasks.get(version))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is left out
            metrics = {} if not pairs else classification(pairs) if task == "classification" else regression(pairs)
        metrics = {name: figure for name, figure in metrics.items() if figure.is_finite}
        found.append(Quality(version, route, task, len(pairs), incomparable, metrics))
    return found


def predicted(row: Mapping[str, Any]) -> object:
    """Return what was predicted for the labelled row: a value or a record, and all of them for a history."""
    columns: dict[str, list[Any]] = {} if row["predictions"] is None else orjson.loads(row["predictions"])
    if not columns:
        return None
    if row["whole"]:
        records = [dict(zip(columns, values, strict=False)) for values in zip(*columns.values(), strict=False)]
        return [next(iter(record.values())) for record in records] if len(columns) == 1 else records
    place = row["position"]
    if row["positions"] is not None:
        if place not in row["positions"]:
            return None
        place = row["positions"].index(place)
    if any(place >= len(values) for values in columns.values()):
        return None
    record = {name: values[place] for name, values in columns.items()}
    return next(iter(record.values())) if len(record) == 1 else record


def match(prediction: object, label: object) -> Iterator[Pair]:
    """Walk over the scalars that stand in the same place of a prediction and its label."""
    if isinstance(prediction, dict) and isinstance(label, dict):
        for name in prediction.keys() & label.keys():
            yield from match(prediction[name], label[name])
    elif isinstance(prediction, list) and isinstance(label, list) and len(prediction) == len(label):
        for one, other in zip(prediction, label, strict=True):
            yield from match(one, other)
    elif isinstance(prediction, str | bool | int | float) and isinstance(label, str | bool | int | float):
        yield prediction, label


def find_task(pairs: Sequence[Pair], declared: str | None) -> Task:
    """Say what is predicted: by the tag, else text and truth values and few whole numbers are classes."""
    numeric = all(_is_number(prediction) and _is_number(label) for prediction, label in pairs)
    if not numeric or declared == "classification":
        return "classification"
    if declared == "regression":
        return "regression"
    values = {value for pair in pairs for value in pair}
    whole = all(float(value).is_integer() for value in values)
    return "classification" if whole and len(values) <= MOST_CLASSES // 2 else "regression"


def classification(pairs: Sequence[Pair]) -> dict[str, Figure]:
    """Return accuracy with Wilson's interval, and macro F1 with one by resampling."""
    predictions = np.array([as_category(prediction) for prediction, _ in pairs])
    labels = np.array([as_category(label) for _, label in pairs])
    right = int((predictions == labels).sum())
    interval = stats.binomtest(right, len(pairs)).proportion_ci(CONFIDENCE, method="wilson")
    figures = {"accuracy": Figure(right / len(pairs), float(interval.low), float(interval.high))}
    classes, codes = np.unique(np.concatenate([predictions, labels]), return_inverse=True)
    if len(classes) <= MOST_CLASSES:
        figures["f1"] = _macro_f1(codes[: len(pairs)], codes[len(pairs) :], len(classes))
    return figures


def regression(pairs: Sequence[Pair]) -> dict[str, Figure]:
    """Return MAE, RMSE and the mean error, with Student's intervals; that of the RMSE is of the mean square."""
    errors = np.array([float(prediction) - float(label) for prediction, label in pairs])
    square = _mean(errors**2)
    return {
        "mae": _mean(np.abs(errors)),
        "rmse": Figure(*(float(np.sqrt(max(0.0, value))) for value in (square.value, square.low, square.high))),
        "bias": _mean(errors),
    }


def _mean(values: Numbers) -> Figure:
    mean = float(values.mean())
    if len(values) == 1:
        return Figure(mean, mean, mean)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Figure(mean, mean - half, mean + half)


def _macro_f1(predictions: Any, labels: Any, classes: int) -> Figure:  # noqa: ANN401 - arrays of codes
    value = float(f1_score(labels, predictions, average="macro", zero_division=0.0))
    cells = predictions * classes + labels
    table = np.bincount(cells, minlength=classes * classes)
    drawn = np.random.default_rng(SEED).multinomial(len(cells), table / table.sum(), RESAMPLES)
    tables = drawn.reshape(RESAMPLES, classes, classes)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    sums = tables.sum(axis=1) + tables.sum(axis=2)
    seen = sums > 0
    scores = np.where(seen, 2 * hits / np.maximum(sums, 1), 0.0)
    low, high = np.quantile(scores.sum(axis=1) / np.maximum(seen.sum(axis=1), 1), [0.025, 0.975])
    return Figure(value, float(low), float(high))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
