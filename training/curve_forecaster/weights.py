"""Weights of an ensemble: shares of the learners and of persistence that would have erred least."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from forecaster import Array

DECIMALS = 6
PERSISTENCE = "persistence"


def learn_weights(changes: Mapping[str, Array], actual: Array) -> dict[str, float]:
    """Find the weights of least squared error, none negative and with a sum of at most one; persistence gets the rest.

    Forecast combination by constrained least squares after Granger and Ramanathan, "Improved methods of combining
    forecasts" (Journal of Forecasting 3, 1984). Few learners: each set of them that may have weight is solved in closed
    form, with and without persistence, and the best solution without a negative weight is the optimum.

    Args:
        changes: By learner, the changes it forecast; persistence forecast zeros.
        actual: The changes that came, of the same shape; NaN where nothing was observed or nothing was learned.

    Returns:
        A weight by learner, zero included; all zero when nothing has come true yet.
    """
    names = list(changes)
    known = ~np.isnan(actual)
    forecasts = np.stack([changes[name][known] for name in names], axis=1)
    moments = forecasts.T @ forecasts
    gains = forecasts.T @ actual[known]
    best, least = np.zeros(len(names)), 0.0
    for size in range(1, len(names) + 1):
        for chosen in combinations(range(len(names)), size):
            part = list(chosen)
            for shares_all in (False, True):
                weights = np.zeros(len(names))
                weights[part] = _solve(moments[np.ix_(part, part)], gains[part], sums_to_one=shares_all)
                if weights.min() < 0 or weights.sum() > 1 + 10**-DECIMALS:
                    continue
                loss = float(weights @ moments @ weights - 2 * weights @ gains)
                if loss < least:
                    best, least = weights, loss
    return {name: round(float(weight), DECIMALS) for name, weight in zip(names, best, strict=True)}


def with_persistence(weights: Mapping[str, float]) -> dict[str, float]:
    """Add the share of persistence to the weights of the learners."""
    return {**weights, PERSISTENCE: round(max(0.0, 1 - sum(weights.values())), DECIMALS)}


def _solve(moments: Array, gains: Array, *, sums_to_one: bool) -> Array:
    """Minimise w'Mw - 2 w'g, with the sum of w free or one."""
    if not sums_to_one:
        return np.linalg.lstsq(moments, gains, rcond=None)[0]
    size = len(gains)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = 2 * moments
    system[size, size] = 0
    return np.linalg.lstsq(system, np.append(2 * gains, 1.0), rcond=None)[0][:size]
