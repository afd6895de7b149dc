"""How the answers of a job are spread."""

import math
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from services.model_serving.batch.review.judgement import judge

MOST_CLASSES = 50
BINS = 20
CONFIDENCE_BINS = 10
LABEL_CHARACTERS = 100
LABEL = str | bool | int | float


class Answers:
    """Counts outputs, one after the other.

    Attributes:
        count: Of all.
    """

    def __init__(self) -> None:
        self._classes: Counter[str] = Counter()
        self._numbers: list[float] = []
        self._confidences = [0] * CONFIDENCE_BINS
        self.count = self._truncated = self._uncounted = 0

    def add(self, output: Any) -> None:  # noqa: ANN401 (a model may answer anything)
        """Count an output: by its label, by the labels of the objects it found, or as a number."""
        self.count += 1
        self._truncated += isinstance(output, dict) and output.get("truncated") is True
        judged = judge(output)
        if judged is not None:
            self._confidences[min(int(judged.confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)] += 1
            answer, is_label = judged.label, True
        else:
            answer, is_label = _unsure(output)
        if isinstance(answer, list):
            labels = [one["label"] for one in answer if isinstance(one, dict) and isinstance(one.get("label"), LABEL)]
            self._classes.update(map(_name, labels))
            self._uncounted += bool(answer) and not labels
        elif isinstance(answer, str | bool) or (is_label and isinstance(answer, LABEL)):
            self._classes[_name(answer)] += 1
        elif isinstance(answer, int | float) and abs(answer) <= sys.float_info.max:
            self._numbers.append(float(answer))
        else:
            self._uncounted += 1

    def summary(self) -> dict[str, Any]:
        """Return what was counted."""
        shown = self._classes.most_common(MOST_CLASSES)
        return {
            "answers": self.count,
            "truncated": self._truncated,
            "classes": dict(shown),
            "other_classes": self._classes.total() - sum(count for _, count in shown),
            "confidence": self._confidences if any(self._confidences) else None,
            "numbers": _spread(self._numbers),
            "uncounted": self._uncounted,
        }


def _unsure(output: Any) -> tuple[Any, bool]:  # noqa: ANN401 (a model may answer anything)
    """Return what an output says that does not say how sure it is, and whether that is a label."""
    match output:
        case {"detections": list() as found}:
            return found, False
        case {"label": label}:
            return label, True
    return output, False


def _name(label: object) -> str:
    return str(label)[:LABEL_CHARACTERS]


def _spread(numbers: Iterable[float]) -> dict[str, Any] | None:
    values = np.asarray(list(numbers), dtype=np.float64)
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):
        return None
    counts, edges = np.histogram(values, bins=BINS if high > low else 1)
    return {
        "least": low,
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "greatest": high,
        "counts": [int(count) for count in counts],
        "edges": [float(edge) for edge in edges],
    }
