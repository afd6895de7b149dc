"""How wrong the forecasts were, against what holding the last curve would have given."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlplatform.training.failures import BadData

from dataset import Dataset
from forecaster import Array
from walk_forward import Forecast

RESAMPLES = 1000
BLOCK_HORIZONS = 2
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Scores:
    """Errors over some observations, in the unit of the data.

    Attributes:
        rmse: Root mean squared error.
        mae: Mean absolute error.
        persistence_rmse: Of holding the last curve.
        persistence_mae: Of holding the last curve.
        observations: How many real observations were forecast.
    """

    rmse: float
    mae: float
    persistence_rmse: float
    persistence_mae: float
    observations: int

    @property
    def skill(self) -> float:
        """1 - RMSE / RMSE of persistence; 0 when persistence made no error."""
        return 1 - self.rmse / self.persistence_rmse if self.persistence_rmse else 0.0


@dataclass(frozen=True)
class Evaluation:
    """Everything that is reported of a walk-forward evaluation.

    Attributes:
        overall: Over all observations.
        interval: 95 % interval of the overall skill.
        horizons: By days ahead.
        tenors: By tenor; without one that was never scored.
        folds: By number of the fold.
        cells: By days ahead and tenor.
        digest: Of what the errors were measured on: equal digests make errors comparable.
    """

    overall: Scores
    interval: tuple[float, float]
    horizons: Mapping[int, Scores]
    tenors: Mapping[str, Scores]
    folds: Mapping[int, Scores]
    cells: Mapping[tuple[int, str], Scores]
    digest: str

    def verdict(self) -> str:
        """Say whether the forecasts beat persistence."""
        low, high = self.interval
        if low > 0:
            return "better than persistence"
        return "worse than persistence" if high < 0 else "not distinguishable from persistence"

    def table(self) -> pd.DataFrame:
        """Return the errors by days ahead and tenor, one row each."""
        return pd.DataFrame(
            {
                "horizon_days": ahead,
                "tenor": tenor,
                "rmse": scores.rmse,
                "mae": scores.mae,
                "persistence_rmse": scores.persistence_rmse,
                "skill": scores.skill,
                "observations": scores.observations,
            }
            for (ahead, tenor), scores in self.cells.items()
        )

    def metrics(self) -> dict[str, float]:
        """Return the metrics of a run by name; those of folds are in :meth:`fold_metrics`."""
        low, high = self.interval
        found = dict(_named("", self.overall)) | {"skill_low": low, "skill_high": high}
        for ahead, scores in self.horizons.items():
            found |= dict(_named(f"horizon/{ahead:03}/", scores))
        for tenor, scores in self.tenors.items():
            found |= dict(_named(f"tenor/{tenor.replace(' ', '_')}/", scores))
        return found

    def fold_metrics(self) -> Iterator[tuple[str, float, int]]:
        """Yield name, value and step, which is the number of the fold."""
        for fold, scores in self.folds.items():
            for name, value in _named("fold/", scores):
                yield name, value, fold


def evaluate(forecast: Forecast, dataset: Dataset, seed: int) -> Evaluation:
    """Score forecasts on real observations only.

    Args:
        forecast: The forecasts of the scored days.
        dataset: What they were made from.
        seed: Of the bootstrap.

    Raises:
        BadData: Nothing that was forecast was observed.
    """
    known = ~np.isnan(forecast.actual)
    if not known.any():
        raise BadData(f"{dataset.source}: none of the days to score holds an observation that could be forecast")
    error = forecast.forecast - forecast.actual
    held = forecast.last[:, None] - forecast.actual

    def scores(chosen: Array) -> Scores:
        return Scores(*_errors(error[chosen]), *_errors(held[chosen]), observations=int(chosen.sum()))

    def where(fold: int | None = None, horizon: int | None = None, tenor: int | None = None) -> Array:
        chosen = known.copy()
        if fold is not None:
            chosen[forecast.fold != fold] = False
        if horizon is not None:
            chosen[:, np.arange(known.shape[1]) != horizon] = False
        if tenor is not None:
            chosen[:, :, np.arange(known.shape[2]) != tenor] = False
        return chosen

    horizons, tenors = list(enumerate(forecast.horizons)), list(enumerate(dataset.tenors))
    seen = known.any(axis=0)
    return Evaluation(
        overall=scores(known),
        interval=_skill_interval(error, held, known, forecast.horizons[-1], seed),
        horizons={ahead: scores(where(horizon=row)) for row, ahead in horizons if seen[row].any()},
        tenors={name: scores(where(tenor=column)) for column, name in tenors if seen[:, column].any()},
        folds={int(fold): scores(where(fold=fold)) for fold in np.unique(forecast.fold[known.any(axis=(1, 2))])},
        cells={
            (ahead, name): scores(where(horizon=row, tenor=column))
            for row, ahead in horizons
            for column, name in tenors
            if seen[row, column]
        },
        digest=_digest(forecast, known, dataset),
    )


def _errors(error: Array) -> tuple[float, float]:
    return float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error)))


def _named(prefix: str, scores: Scores) -> Iterator[tuple[str, float]]:
    for name in ("rmse", "mae", "persistence_rmse", "persistence_mae", "skill"):
        yield f"{prefix}{name}", getattr(scores, name)
    if not prefix.startswith("horizon"):
        yield f"{prefix}observations", float(scores.observations)


def _skill_interval(error: Array, held: Array, known: Array, longest: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the overall skill by a moving-block bootstrap over days.

    Forecasts of neighbouring days share most of their error, so blocks of days are drawn, twice as long as the longest
    horizon; after Künsch, "The jackknife and the bootstrap for general stationary observations" (Annals of Statistics
    17, 1989).
    """
    sums = np.stack([(np.where(known, part, 0.0) ** 2).sum(axis=(1, 2)) for part in (error, held)])
    days = sums.shape[1]
    length = min(BLOCK_HORIZONS * longest, days)
    random = np.random.default_rng(seed)
    starts = random.integers(0, days - length + 1, size=(RESAMPLES, -(-days // length)))
    totals = np.cumsum(np.pad(sums, ((0, 0), (1, 0))), axis=1)
    drawn = (totals[:, starts + length] - totals[:, starts]).sum(axis=2)
    skills = 1 - np.sqrt(np.divide(drawn[0], drawn[1], out=np.ones(RESAMPLES), where=drawn[1] > 0))
    low, high = np.percentile(skills, INTERVAL)
    return float(low), float(high)


def _digest(forecast: Forecast, known: Array, dataset: Dataset) -> str:
    state = hashlib.sha256(dataset.digest.encode())
    for part in (forecast.origins.astype("<i8"), np.asarray(forecast.horizons, dtype="<i8"), known):
        state.update(np.ascontiguousarray(part).tobytes())
    return state.hexdigest()
