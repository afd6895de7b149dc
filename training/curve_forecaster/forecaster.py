"""The served forecaster: the last daily curves in, one forecast curve per horizon day out.

MLflow stores this very file beside the model and runs the copy at load time, under a module name of its own. It
therefore imports nothing from this folder, so that two versions never share code by accident; training imports these
functions from here, so that a served feature cannot differ from a trained one. Parameters are plain arrays (`.npz`)
and JSON: loading executes no pickle and needs no library but numpy.

Shapes: N windows, L days of history, T tenors, K factors, F features, H horizons.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]


def known_values(values: Array, axis: int = 1) -> Array:
    """Carry the last known value forward along `axis`; what precedes the first observation stays NaN."""
    if not np.isnan(values).any():
        return values
    days = np.arange(values.shape[axis]).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, days), axis=axis)
    return np.take_along_axis(values, last, axis=axis)


def factor_scores(curves: Array, loadings: Array) -> Array:
    """Project curves on the factors by least squares over the tenors that were observed.

    Args:
        curves: (..., T), NaN where nothing was observed.
        loadings: (T, K); a row of zeros leaves its tenor out.

    Returns:
        (..., K); NaN where fewer tenors than factors were observed.
    """
    used = loadings.any(axis=1)
    rows = curves[..., used].reshape(-1, int(used.sum()))
    basis = loadings[used]
    scores = np.full((len(rows), basis.shape[1]), np.nan)
    observed = ~np.isnan(rows)
    patterns, member = np.unique(np.packbits(observed, axis=1), axis=0, return_inverse=True)
    for index in range(len(patterns)):
        chosen = np.flatnonzero(member.ravel() == index)
        mask = observed[chosen[0]]
        if mask.sum() >= basis.shape[1]:
            scores[chosen] = rows[np.ix_(chosen, mask)] @ np.linalg.pinv(basis[mask]).T
    return scores.reshape(*curves.shape[:-1], basis.shape[1])


def window_features(scores: Array) -> Array:
    """Describe each window of factor scores by its level, its changes, its distance from the mean and its volatility.

    Rounded to single precision, as tree learners compare features, so that a tree splits the same way everywhere.

    Args:
        scores: (N, L, K); a day without a score counts as the day before it.

    Returns:
        (N, 6 K): level, change over 1 day, 5 days and the whole window, distance from the mean, volatility per day.
    """
    filled = known_values(known_values(scores)[:, ::-1])[:, ::-1]
    last = filled[:, -1]
    week = min(6, filled.shape[1])
    parts = (
        last,
        last - filled[:, -2],
        last - filled[:, -week],
        last - filled[:, 0],
        last - filled.mean(axis=1),
        np.diff(filled, axis=1).std(axis=1),
    )
    return np.concatenate(parts, axis=1).astype(np.float32).astype(np.float64)


@dataclass(frozen=True)
class Linear:
    """A linear map from features to the factor changes of all horizons; without intercept.

    Attributes:
        coefficients: (F, H K).
    """

    coefficients: Array

    def predict(self, features: Array, horizons: Array) -> Array:
        """Return factor changes in units of their spread, (N, H, K)."""
        return (features @ self.coefficients).reshape(len(features), len(horizons), -1)


@dataclass(frozen=True)
class Trees:
    """A sum of regression trees in flat arrays; a leaf points to itself.

    Attributes:
        roots: (trees,) index of each tree's first node.
        feature: (nodes,) column that a node splits on.
        threshold: (nodes,) largest value that goes left.
        left: (nodes,) next node when the value is at most the threshold.
        right: (nodes,) next node otherwise.
        value: (nodes, outputs); outputs are H K, or K when `by_horizon`.
        depth: (1,) most splits on the way to a leaf.
        by_horizon: (1,) true when the horizon in days is one more feature, the last.
    """

    roots: Array
    feature: Array
    threshold: Array
    left: Array
    right: Array
    value: Array
    depth: Array
    by_horizon: Array

    def predict(self, features: Array, horizons: Array) -> Array:
        """Return factor changes in units of their spread, (N, H, K)."""
        rows = features
        if self.by_horizon[0]:
            rows = np.repeat(features, len(horizons), axis=0)
            rows = np.column_stack([rows, np.tile(horizons, len(features))])
        return self.outputs(rows).reshape(len(features), len(horizons), -1)

    def outputs(self, rows: Array) -> Array:
        """Return the sum over the trees for each row of features, (rows, outputs)."""
        node = np.repeat(self.roots[None, :], len(rows), axis=0)
        each = np.arange(len(rows))[:, None]
        for _ in range(int(self.depth[0])):
            goes_left = rows[each, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return self.value[node].sum(axis=1)


Member = Linear | Trees
MEMBER_TYPES: dict[str, type[Linear] | type[Trees]] = {"linear": Linear, "trees": Trees}


@dataclass(frozen=True)
class CurveModel:
    """A fitted forecaster. Weights that sum to less than one leave the rest to persistence, the forecast of no change.

    Attributes:
        tenors: Names of the T columns.
        horizons: Days ahead, H of them.
        lookback: Days of history that a forecast needs, L.
        log: Whether changes are relative (prices and rates of exchange) and not differences (yields).
        nullable: Tenors that had blanks in training; a blank is refused in any other.
        loadings: (T, K); zeros for a tenor without enough history, whose forecast is then its last value.
        center: (F,) means of the features in training.
        spread: (F,) standard deviations of the features in training.
        target_spread: (H, K) standard deviations of the factor changes in training.
        members: Learners by name.
        weights: Weight of each learner.
    """

    tenors: tuple[str, ...]
    horizons: tuple[int, ...]
    lookback: int
    log: bool
    nullable: tuple[str, ...]
    loadings: Array
    center: Array
    spread: Array
    target_spread: Array
    members: Mapping[str, Member]
    weights: Mapping[str, float]

    def working(self, curves: Array) -> Array:
        """Return curves on the scale that changes are learned on."""
        return np.log(curves) if self.log else curves

    def features(self, windows: Array) -> Array:
        """Return standardised features of windows on the working scale, (N, F)."""
        return (window_features(factor_scores(windows, self.loadings)) - self.center) / self.spread

    def member_changes(self, name: str, features: Array) -> Array:
        """Return the changes that one learner forecasts, on the working scale, (N, H, T)."""
        horizons = np.asarray(self.horizons, dtype=np.float64)
        return (self.members[name].predict(features, horizons) * self.target_spread) @ self.loadings.T

    def forecast(self, history: Array) -> Array:
        """Forecast from windows of raw curves.

        Args:
            history: (N, L, T), oldest day first, NaN where blank.

        Returns:
            (N, H, T) in the unit of the input; NaN for a tenor without any observation in its window.
        """
        windows = self.working(history)
        base = known_values(windows)[:, -1]
        features = self.features(windows)
        changes = np.zeros((len(history), len(self.horizons), len(self.tenors)))
        for name, weight in self.weights.items():
            if weight > 0:
                changes += weight * self.member_changes(name, features)
        curves = base[:, None, :] + changes
        return np.exp(curves) if self.log else curves

    def save(self, folder: Path) -> None:
        """Write `model.json` and `arrays.npz` into an existing folder."""
        kinds = {kind: name for name, kind in MEMBER_TYPES.items()}
        arrays = {name: getattr(self, name) for name in ("loadings", "center", "spread", "target_spread")}
        for name, member in self.members.items():
            arrays |= {f"{name}/{field}": array for field, array in vars(member).items()}
        document = {
            "tenors": self.tenors,
            "horizons": self.horizons,
            "lookback": self.lookback,
            "log": self.log,
            "nullable": self.nullable,
            "members": {name: kinds[type(member)] for name, member in self.members.items()},
            "weights": dict(self.weights),
        }
        (folder / "model.json").write_text(json.dumps(document, indent=2))
        np.savez_compressed(folder / "arrays.npz", **arrays)

    @classmethod
    def load(cls, folder: Path) -> "CurveModel":
        """Read what :meth:`save` wrote."""
        document = json.loads((folder / "model.json").read_text())
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        members = {}
        for name, kind in document.pop("members").items():
            fields = {
                key.removeprefix(f"{name}/"): arrays.pop(key) for key in list(arrays) if key.startswith(f"{name}/")
            }
            members[name] = MEMBER_TYPES[kind](**fields)
        for key in ("tenors", "horizons", "nullable"):
            document[key] = tuple(document[key])
        return cls(**document, **arrays, members=members)


def read_history(model: CurveModel, frame: pd.DataFrame) -> Array:
    """Check a request's history and return it as (L, T).

    Raises:
        ValueError: A column is missing, the number of rows is wrong, or a cell is blank where training saw no blanks,
            not a number, infinite, or not positive where only positive values have a meaning. Names row and column.
    """
    missing = [tenor for tenor in model.tenors if tenor not in frame.columns]
    if missing:
        raise ValueError(f"the history lacks the columns {', '.join(missing)}")
    if len(frame) != model.lookback:
        raise ValueError(
            f"expected {model.lookback} rows (the last {model.lookback} daily curves, oldest first), got {len(frame)}"
        )
    columns = frame[list(model.tenors)]
    try:
        history = columns.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise ValueError("the history holds a value that is not a number") from None
    _refuse(np.isinf(history), model.tenors, "is infinite")
    strict = np.array([tenor not in model.nullable for tenor in model.tenors])
    _refuse(np.isnan(history) & strict, model.tenors, "is blank, and training saw no blanks in this column")
    if model.log:
        _refuse(history <= 0, model.tenors, "is not positive")
    return history


def _refuse(bad: Array, tenors: tuple[str, ...], reason: str) -> None:
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"row {row + 1}, column {tenors[column]!r}: the value {reason}")


class CurveForecaster(mlflow.pyfunc.PythonModel):
    """What MLflow and the serving service call."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        """Read the parameters."""
        self.model = CurveModel.load(Path(context.artifacts["parameters"]))

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Forecast the curve of every horizon day from one history.

        Args:
            model_input: One row per day, oldest first, as many as `lookback`; one column per tenor.

        Returns:
            One row per horizon: `horizon_days`, then one column per tenor.

        Raises:
            ValueError: The history has the wrong form; see :func:`read_history`.
        """
        curves = self.model.forecast(read_history(self.model, model_input)[None])[0]
        frame = pd.DataFrame(curves, columns=list(self.model.tenors))
        frame.insert(0, "horizon_days", np.asarray(self.model.horizons, dtype=np.int64))
        return frame


mlflow.models.set_model(CurveForecaster())
