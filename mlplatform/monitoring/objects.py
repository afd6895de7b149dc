"""What was found in images, as columns: a row of each image, however many objects it has."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from mlplatform.monitoring.columns import Columns

CERTAIN = 0.5
"""Confidence from which on an object counts, and from which on a detection is answered unless a job asks for others."""

Objects: TypeAlias = Sequence[tuple[str, float]]
"""Class and confidence of each object of an image."""


def object_columns(images: Iterable[Objects]) -> Columns:
    """Describe images by their objects.

    Args:
        images: What was found in each, with everything that is certain.

    Returns:
        `objects`, how many are certain; `label` and `confidence` of the surest of these, missing where there is none.
    """
    counts, labels, confidences = [], [], []
    for found in images:
        certain = [one for one in found if one[1] >= CERTAIN]
        label, confidence = max(certain, key=lambda one: one[1], default=(None, np.nan))
        counts.append(len(certain))
        labels.append(label)
        confidences.append(confidence)
    return {
        "objects": np.array(counts, dtype=np.int64),
        "label": np.array(labels, dtype=object),
        "confidence": np.array(confidences, dtype=np.float64),
    }
