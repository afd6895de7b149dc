"""Tests of whether a window of values comes from the distribution of the reference. Rows are taken as independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from mlplatform.monitoring.values import Numbers

Counts = npt.NDArray[np.float64]

SMOOTHING = 0.5
"""Rows added to each bin of a PSI, so that an empty one has a logarithm."""
EXPECTED = 5.0
"""Rows to expect in a bin for a null distribution to hold (Cochran's rule); smaller bins are merged."""


@dataclass(frozen=True, slots=True)
class Result:
    """A statistic and the probability of one as great when nothing has changed."""

    statistic: float
    p: float


def kolmogorov_smirnov(quantiles: Sequence[float], reference_rows: int, window: Numbers) -> Result:
    """Compare a window with a distribution function that is known by its quantiles.

    Args:
        quantiles: Of the reference, at equal steps of probability; a value that repeats is a jump of the function.
        reference_rows: Rows that the quantiles were taken of.
        window: Values, n of them.

    Returns:
        The greatest distance of the two functions. Its probability is Kolmogorov's for two samples, with Stephens'
        correction for few rows (Journal of the Royal Statistical Society B 32, 1970); it errs upwards where values
        repeat.
    """
    grid = np.asarray(quantiles, dtype=np.float64)
    shares = np.linspace(0, 1, len(grid))
    points, first, repeats = np.unique(grid, return_index=True, return_counts=True)
    below, upto = shares[first], shares[first + repeats - 1]
    values, counts = np.unique(window, return_counts=True)
    window_upto = np.cumsum(counts) / len(window)
    window_below = window_upto - counts / len(window)
    at = np.clip(np.searchsorted(points, values, side="right") - 1, 0, len(points) - 1)
    following = np.minimum(at + 1, len(points) - 1)
    width = np.where(following > at, points[following] - points[at], 1.0)
    part = np.clip((values - points[at]) / width, 0.0, 1.0)
    between = upto[at] + part * (below[following] - upto[at])
    outside = np.where(values < points[0], 0.0, np.where(values > points[-1], 1.0, between))
    hit = values == points[at]
    reference_upto = np.where(hit, upto[at], outside)
    reference_below = np.where(hit, below[at], outside)
    distance = float(max(np.abs(window_upto - reference_upto).max(), np.abs(window_below - reference_below).max()))
    root = np.sqrt(reference_rows * len(window) / (reference_rows + len(window)))
    return Result(distance, float(special.kolmogorov((root + 0.12 + 0.11 / root) * distance)))


def population_stability(reference: Sequence[int], window: Sequence[int]) -> Result:
    """Return the population stability index of two rows of counts, and its probability.

    The index is `sum((p - q) * ln(p / q))`. When both rows are samples of one distribution with B bins, the index over
    `1/m + 1/n` is chi-squared with B - 1 degrees of freedom (Yurdakul, "Statistical properties of the population
    stability index", 2018). That needs bins with some rows each, so small ones are merged for the probability.

    Returns:
        The index of all bins, and the probability of the index of the merged bins.
    """
    left, right = np.asarray(reference, dtype=np.float64), np.asarray(window, dtype=np.float64)
    merged = merge(left, right, EXPECTED)
    bins = merged.shape[1]
    scaled = _index(*merged) / _noise(left, right)
    return Result(_index(left, right), float(stats.chi2.sf(scaled, bins - 1)) if bins > 1 else 1.0)


def stability_noise(reference: Sequence[int], window: Sequence[int]) -> float:
    """Return the population stability index to expect when nothing has changed."""
    left, right = np.asarray(reference, dtype=np.float64), np.asarray(window, dtype=np.float64)
    return float((np.count_nonzero(left + right) - 1) * _noise(left, right))


def chi_square(reference: Sequence[int], window: Sequence[int]) -> Result:
    """Test two rows of counts for one distribution, by Pearson's statistic."""
    left, right = np.asarray(reference, dtype=np.float64), np.asarray(window, dtype=np.float64)
    table = merge(left, right, EXPECTED)
    if table.shape[1] < 2:  # noqa: PLR2004 - one column cannot differ
        return Result(0.0, 1.0)
    found = stats.chi2_contingency(table, correction=False)
    return Result(float(found.statistic), float(found.pvalue))


def share_test(reference: int, reference_rows: int, window: int, window_rows: int) -> Result:
    """Test two shares for equality, by Fisher's exact test.

    Returns:
        The difference of the shares, and its probability.
    """
    table = [[reference, reference_rows - reference], [window, window_rows - window]]
    return Result(window / window_rows - reference / reference_rows, float(stats.fisher_exact(table).pvalue))


def adjust(probabilities: Sequence[float]) -> list[float]:
    """Correct for the number of tests, by Benjamini and Hochberg.

    Flagging what stays below a level keeps the share of false ones among the flagged below it; when nothing has
    changed anywhere, so is the probability of flagging anything.
    """
    if not probabilities:
        return []
    return [float(value) for value in stats.false_discovery_control(np.asarray(probabilities), method="bh")]


def merge(left: Counts, right: Counts, least: float) -> Counts:
    """Merge the bins that are expected to have fewer rows than `least` in the window; return (2, bins)."""
    pooled = (left + right) / (left.sum() + right.sum()) * right.sum()
    small = pooled < least
    table: Counts = np.stack([left, right])
    if not small.any():
        return table
    rest: Counts = table[:, small].sum(axis=1, keepdims=True)
    kept: Counts = table[:, ~small]
    if not kept.shape[1]:
        return rest
    if pooled[small].sum() >= least:
        return np.concatenate([kept, rest], axis=1)
    kept[:, [int(np.argmin(kept.sum(axis=0)))]] += rest
    return kept


def _index(left: Counts, right: Counts) -> float:
    used = (left + right) > 0
    p, q = left[used] + SMOOTHING, right[used] + SMOOTHING
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _noise(left: Counts, right: Counts) -> float:
    return float(1 / left.sum() + 1 / right.sum())
