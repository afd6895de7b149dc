"""The linear layer: how strongly it is held back is what suits the texts that calibrate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mlplatform.training.calibration import Array, Indices, fit_temperature, probabilities
from mlplatform.training.classification import evaluate
from mlplatform.training.splitting import Split
from sentence_transformers import SentenceTransformer
from sklearn.linear_model import LogisticRegression

from text_model import embed

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse of the penalty on the weights, scikit-learn's C."""
ITERATIONS = 2000
EMBEDDED_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted layer.

    Attributes:
        weight: (classes, dimensions).
        bias: (classes).
        temperature: That divides its logits.
        strength: Inverse of the penalty it was fitted with.
    """

    weight: Array
    bias: Array
    temperature: float
    strength: float

    def logits(self, vectors: Array) -> Array:
        """Return (texts, classes), before the temperature."""
        return vectors @ self.weight.T + self.bias


def embed_all(encoder: SentenceTransformer, texts: tuple[str, ...], advance: Callable[[int], None]) -> Array:
    """Return the embedding of each text.

    Args:
        encoder: Makes them.
        texts: Any number.
        advance: Told of texts as they are done.
    """
    parts = []
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # texts of a length are padded least
    for start in range(0, len(order), EMBEDDED_AT_ONCE):
        chosen = order[start : start + EMBEDDED_AT_ONCE]
        parts.append(embed(encoder, [texts[place] for place in chosen]))
        advance(len(chosen))
    vectors = np.empty((len(texts), parts[0].shape[1]))
    vectors[order] = np.concatenate(parts)
    return vectors


def fit(
    vectors: Array, targets: Indices, labels: tuple[str, ...], parts: Split, advance: Callable[[int], None]
) -> Head:
    """Fit and calibrate a layer.

    Args:
        vectors: (texts, dimensions).
        targets: Class of each text.
        labels: Names of the classes.
        parts: Which texts are trained on, and which calibrate.
        advance: Told of each penalty that was tried.
    """
    heads = []
    for strength in STRENGTHS:
        heads.append(_fit(vectors[parts.train], targets[parts.train], strength))
        advance(1)
    known, true = vectors[parts.calibration], targets[parts.calibration]
    calibrated = [
        Head(head.weight, head.bias, fit_temperature(head.logits(known), true), head.strength) for head in heads
    ]

    def surprise(head: Head) -> float:
        return evaluate(labels, probabilities(head.logits(known), head.temperature), true).log_loss

    return min(calibrated, key=surprise)


def _fit(vectors: Array, targets: Indices, strength: float) -> Head:
    model = LogisticRegression(C=strength, max_iter=ITERATIONS, class_weight="balanced")
    model.fit(vectors, targets)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # two classes share one row of weights
        weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return Head(weight, bias, 1.0, strength)
