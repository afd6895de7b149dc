"""Probabilities that mean what they say.

A temperature divides the logits before the softmax; it changes no ranking. It is fitted on examples that the network
was not trained on (Guo et al., "On Calibration of Modern Neural Networks", 2017). The error is their expected
calibration error: the mean distance of confidence and accuracy over equal bins of confidence, weighted by how many fall
in each.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

BINS = 10
LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures that are searched; a model that is always right would otherwise be made infinitely sure."""

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence against accuracy.

    Attributes:
        confidence: Mean of each bin that is not empty.
        accuracy: Of the same.
        count: How many fall in each.
        error: The expected calibration error.
    """

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]
    error: float


def fit_temperature(logits: Array, targets: Indices) -> float:
    """Return the temperature under which held-out examples are most likely.

    Each counts as if it might have been of any class, as much as their number leaves open (Platt, 1999): where all of a
    few are right, the next need not be.

    Args:
        logits: (examples, classes).
        targets: Class of each example.
    """
    doubt = 1 / (len(targets) + 2)

    def surprise(log_temperature: float) -> float:
        likely = log_softmax(logits / np.exp(log_temperature), axis=1)
        true = likely[np.arange(len(targets)), targets].mean()
        return float(-(1 - doubt) * true - doubt * likely.mean())

    found = minimize_scalar(surprise, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def probabilities(logits: Array, temperature: float) -> Array:
    """Return calibrated probabilities."""
    spread: Array = softmax(logits / temperature, axis=1)
    return spread


def reliability(confidence: Array, correct: npt.NDArray[np.bool_]) -> Reliability:
    """Compare how sure answers were with how often they were right.

    Args:
        confidence: From 0 to 1.
        correct: Whether each was right.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    rows = []
    for place in np.unique(bins):
        inside = bins == place
        rows.append((float(confidence[inside].mean()), float(correct[inside].mean()), int(inside.sum())))
    error = sum(abs(sure - right) * count for sure, right, count in rows) / max(1, len(confidence))
    sure, right, count = zip(*rows, strict=True) if rows else ((), (), ())
    return Reliability(sure, right, count, error)
