"""What a detector is worth: average precision at an overlap of one half, as PASCAL VOC 2010 has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mlplatform.training.calibration import Reliability, reliability
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from scenes import LABELS, Scene, iou

OVERLAP = 0.5
"""From which on a box is right."""
COUNTED = 0.05
"""Confidence from which on a detection counts for calibration; there is no end of those below."""
THRESHOLD = 0.5
SMALLEST = 1e-6
LARGEST_SHIFT = 100.0

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision and recall of a class as the threshold falls.

    Attributes:
        label: The class.
        objects: How many there are.
        precision: By detection, the surest first.
        recall: By detection.
        average: Area under the curve, made monotonous.
    """

    label: str
    objects: int
    precision: Numbers
    recall: Numbers
    average: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of a detector.

    Attributes:
        curves: By class.
        precision: Of detections from a confidence of one half on.
        recall: Of the same.
        reliability: Confidence against the share that is right.
    """

    curves: tuple[Curve, ...]
    precision: float
    recall: float
    reliability: Reliability

    def metrics(self) -> dict[str, float]:
        """Return the numbers of a run by name."""
        return {
            "map_50": float(np.mean([curve.average for curve in self.curves])),
            "precision": self.precision,
            "recall": self.recall,
            "calibration_error": self.reliability.error,
            **{f"ap_50.{curve.label}": curve.average for curve in self.curves},
        }

    def classes(self) -> list[dict[str, Any]]:
        """Return average precision of each class."""
        return [{"label": one.label, "objects": one.objects, "ap_50": one.average} for one in self.curves]


def measure(scenes: Sequence[Scene], detections: Numbers) -> Measures:
    """Measure detections.

    Args:
        scenes: What is in them.
        detections: (scenes, detections, 6).
    """
    right = np.stack([match(scene, found) for scene, found in zip(scenes, detections, strict=True)])
    kinds, confidence = detections[..., 4], detections[..., 5]
    curves = []
    for place, label in enumerate(LABELS):
        objects = sum(int((scene.classes == place).sum()) for scene in scenes)
        chosen = kinds == place
        curves.append(_curve(label, objects, right[chosen], confidence[chosen]))
    shown, total = confidence >= THRESHOLD, sum(len(scene.classes) for scene in scenes)
    counted = confidence >= COUNTED
    return Measures(
        curves=tuple(curves),
        precision=float(right[shown].mean()) if shown.any() else 0.0,
        recall=float(right[shown].sum() / max(1, total)),
        reliability=reliability(confidence[counted], right[counted]),
    )


def match(scene: Scene, found: Numbers) -> npt.NDArray[np.bool_]:
    """Say which detections are right: the surest that overlaps an object of its class, and only one of each object."""
    right = np.zeros(len(found), dtype=bool)
    overlaps = iou(found[:, :4], scene.boxes)
    taken = np.zeros(len(scene.boxes), dtype=bool)
    for place in np.argsort(-found[:, 5], kind="stable"):
        possible = np.where((scene.classes == found[place, 4]) & ~taken, overlaps[place], 0.0)
        best = int(possible.argmax())
        if possible[best] >= OVERLAP:
            taken[best] = right[place] = True
    return right


def fit_confidence(scenes: Sequence[Scene], detections: Numbers) -> tuple[float, float]:
    """Return the scale and shift of logits under which confidence is the share that is right (Platt, 1999).

    Where surer detections are not more often right, their order stays, and a shift alone makes the mean right.

    Args:
        scenes: That were not trained on.
        detections: With the confidence of the network.
    """
    right = np.stack([match(scene, found) for scene, found in zip(scenes, detections, strict=True)])
    confidence = detections[..., 5]
    counted = confidence >= COUNTED
    hits = right[counted]
    if hits.all() or not hits.any():
        return 1.0, 0.0  # nothing to learn from
    shares = confidence[counted].clip(SMALLEST, 1 - SMALLEST)
    logits = np.log(shares / (1 - shares))
    model = LogisticRegression(C=1e3).fit(logits[:, None], hits)
    scale = float(model.coef_[0, 0])
    if scale > 0:
        return scale, float(model.intercept_[0])
    shift = brentq(lambda shift: expit(logits + shift).mean() - hits.mean(), -LARGEST_SHIFT, LARGEST_SHIFT)
    return 1.0, float(shift)


def _curve(label: str, objects: int, right: npt.NDArray[np.bool_], confidence: Numbers) -> Curve:
    hits = np.cumsum(right[np.argsort(-confidence, kind="stable")])
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / max(1, objects)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall, prepend=0.0)
    return Curve(label, objects, precision, recall, float((falling * steps).sum()))
