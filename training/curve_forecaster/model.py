"""Fits the forecaster that is served."""

from dataclasses import dataclass, replace

import numpy as np
from mlplatform.training.failures import BadData

from features import factor_changes, factor_loadings, windows
from forecaster import Array, CurveModel, factor_scores, known_values, window_features
from learners import LEARNERS, Hyper


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a fit depends on besides the curves.

    Attributes:
        tenors: Names of the T columns.
        horizons: Days ahead, ascending.
        lookback: Days of history, L.
        log: Whether changes are relative.
        learners: Names out of `learners.LEARNERS`.
        minimum: Observations that a tenor needs to be learned.
        seed: Of the learners.
    """

    tenors: tuple[str, ...]
    horizons: tuple[int, ...]
    lookback: int
    log: bool
    learners: tuple[str, ...]
    minimum: int
    seed: int


def fit(values: Array, recipe: Recipe, hyper: Hyper) -> CurveModel:
    """Fit every learner on all the curves given; each gets the same weight.

    What is learned are changes of the factors from the last known curve, less their mean: no drift is learned, as a
    drift over a few years says nothing about the next days.

    Args:
        values: (days, T), oldest day first, NaN where blank.
        recipe: What else the fit depends on.
        hyper: Hyper-parameters.

    Raises:
        BadData: No tenor or no window of days has enough observations.
    """
    working = np.log(values) if recipe.log else values
    loadings = factor_loadings(working, hyper.factors, recipe.minimum)
    origins = np.arange(recipe.lookback - 1, len(values) - recipe.horizons[-1])
    history = windows(working, origins, recipe.lookback)
    features = window_features(factor_scores(history, loadings))
    base = known_values(history)[:, -1]
    targets = factor_changes(working, base, origins, recipe.horizons, loadings)
    usable = ~(np.isnan(features).any(axis=1) | np.isnan(targets).any(axis=(1, 2)))
    if not usable.any():
        raise BadData(f"the first {len(values)} days hold too few observations in a row to learn from")
    features, targets = features[usable], targets[usable]
    center, spread = features.mean(axis=0), _nonzero(features.std(axis=0))
    target_spread = _nonzero(np.sqrt((targets**2).mean(axis=0)))
    standard = (features - center) / spread
    scaled = (targets - targets.mean(axis=0)) / target_spread
    members = {name: LEARNERS[name](standard, scaled, recipe.horizons, hyper, recipe.seed) for name in recipe.learners}
    return CurveModel(
        tenors=recipe.tenors,
        horizons=recipe.horizons,
        lookback=recipe.lookback,
        log=recipe.log,
        nullable=tuple(name for name, blank in zip(recipe.tenors, np.isnan(values).any(axis=0), strict=True) if blank),
        loadings=loadings,
        center=center,
        spread=spread,
        target_spread=target_spread,
        members=members,
        weights=dict.fromkeys(recipe.learners, 1 / len(recipe.learners)),
    )


def with_weights(model: CurveModel, weights: dict[str, float]) -> CurveModel:
    """Return the model with other weights, without the learners that have none."""
    used = {name: weight for name, weight in weights.items() if weight > 0}
    return replace(model, members={name: model.members[name] for name in used}, weights=used)


def _nonzero(spread: Array) -> Array:
    return np.where(spread > 0, spread, 1.0)
