"""Windows, factors and targets for training. The features themselves are those of the served `forecaster.py`."""

from collections.abc import Sequence

import numpy as np
from mlplatform.training.failures import BadData

from forecaster import Array, factor_scores

DESCRIPTIONS = ("level", "change 1 d", "change 5 d", "change window", "from mean", "volatility")
"""What `forecaster.window_features` computes, in its order."""
HORIZON = "horizon"


def feature_names(factors: int) -> list[str]:
    """Name the columns of `forecaster.window_features`, and the horizon that some learners see as one more."""
    return [f"{what}, factor {number + 1}" for what in DESCRIPTIONS for number in range(factors)] + [HORIZON]


def windows(values: Array, origins: Array, lookback: int) -> Array:
    """Cut the history that ends with each origin.

    Args:
        values: (days, T).
        origins: (N,) rows of the last days.
        lookback: L.

    Returns:
        (N, L, T).
    """
    return np.lib.stride_tricks.sliding_window_view(values, lookback, axis=0)[origins - lookback + 1].swapaxes(1, 2)


def factor_loadings(values: Array, factors: int, minimum: int) -> Array:
    """Find the directions in which curves move most from day to day.

    Principal components of the daily changes, after Litterman and Scheinkman, "Common factors affecting bond returns"
    (Journal of Fixed Income 1, 1991). Each moment is over the days on which both tenors changed observably, about zero
    and not about the mean, for no drift is learned. The largest element of a factor is positive.

    Args:
        values: (days, T) on the working scale, NaN where blank.
        factors: K; fewer when there are fewer tenors.
        minimum: Observations that a tenor needs; zeros for one with fewer.

    Returns:
        (T, K).

    Raises:
        BadData: No tenor has enough observations.
    """
    learned = np.flatnonzero((~np.isnan(values)).sum(axis=0) >= minimum)
    if not learned.size:
        raise BadData(f"no column has {minimum} observations in the first {len(values)} days, which are learned from")
    changes = np.diff(values[:, learned], axis=0)
    observed = ~np.isnan(changes)
    known = np.where(observed, changes, 0.0)
    pairs = observed.T.astype(np.float64) @ observed
    moments = (known.T @ known) / np.maximum(pairs, 1)
    vectors = np.linalg.eigh(moments).eigenvectors[:, ::-1][:, :factors]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    loadings = np.zeros((values.shape[1], vectors.shape[1]))
    loadings[learned] = vectors
    return loadings


def factor_changes(values: Array, base: Array, origins: Array, horizons: Sequence[int], loadings: Array) -> Array:
    """Return how the factors moved from each origin: what is learned.

    Args:
        values: (days, T) on the working scale; a blank is never filled, it leaves its tenor out of the projection.
        base: (N, T) last known values at the origins.
        origins: (N,) rows.
        horizons: Days ahead, H.
        loadings: (T, K).

    Returns:
        (N, H, K); NaN where fewer tenors than factors were observed.
    """
    return np.stack([factor_scores(values[origins + ahead] - base, loadings) for ahead in horizons], axis=1)
