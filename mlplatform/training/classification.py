"""What a classifier is worth on examples that it has not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlplatform.training.calibration import Array, Indices, Reliability, reliability

GATES = {
    "log_loss": {"greater_is_better": False, "threshold": None, "max_relative_degradation": 0.1},
    "accuracy": {"greater_is_better": True, "threshold": None, "max_relative_degradation": 0.02},
}
"""What the promotion of a classifier compares with the version in production."""
SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of a classifier.

    Attributes:
        labels: Names of the classes.
        confusion: Counts, by true class and predicted class.
        accuracy: Share that is right.
        macro_f1: Mean F1 of the classes that occur or are predicted.
        log_loss: Mean surprise in nats.
        reliability: Confidence against accuracy.
    """

    labels: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    accuracy: float
    macro_f1: float
    log_loss: float
    reliability: Reliability

    def metrics(self) -> dict[str, float]:
        """Return the numbers of a run by name."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "log_loss": self.log_loss,
            "calibration_error": self.reliability.error,
        }

    def classes(self) -> list[dict[str, Any]]:
        """Return precision, recall and F1 of each class."""
        rows = []
        for place, label in enumerate(self.labels):
            right = int(self.confusion[place, place])
            true, predicted = int(self.confusion[place].sum()), int(self.confusion[:, place].sum())
            rows.append(
                {
                    "label": label,
                    "examples": true,
                    "precision": right / predicted if predicted else None,
                    "recall": right / true if true else None,
                    "f1": 2 * right / (true + predicted) if true + predicted else None,
                }
            )
        return rows


def evaluate(labels: tuple[str, ...], probabilities: Array, targets: Indices) -> Evaluation:
    """Measure probabilities of examples that were not trained on.

    Args:
        labels: Names of the classes.
        probabilities: (examples, classes).
        targets: Class of each example.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (targets, predicted), 1)
    both = confusion.sum(axis=0) + confusion.sum(axis=1)
    likely = probabilities[np.arange(len(targets)), targets].clip(SMALLEST)
    correct = predicted == targets
    return Evaluation(
        labels=labels,
        confusion=confusion,
        accuracy=float(correct.mean()),
        macro_f1=float((2 * np.diag(confusion)[both > 0] / both[both > 0]).mean()),
        log_loss=abs(float(np.log(likely).mean())),
        reliability=reliability(probabilities.max(axis=1), correct),
    )
