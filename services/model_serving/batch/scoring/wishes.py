"""What the caller of a job wants to know of a classification or a detection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlplatform.errors import FieldError
from services.model_serving.errors import InvalidInputs

MOST_CLASSES = 1000
MOST_BOXES = 300
TOP_K, THRESHOLD = "top_k", "threshold"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How much of an answer is given.

    Attributes:
        top_k: Most classes of a classification, or boxes of a detection; None for the default of the task.
        threshold: Least confidence: a classification below it is marked, a box below it is left out.
    """

    top_k: int | None = None
    threshold: float | None = None

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> "Wishes":
        """Read the parameters of a job.

        Raises:
            InvalidInputs: One is unknown or out of range.
        """
        findings = [FieldError(f"body.params.{name}", "is not known") for name in params.keys() - {TOP_K, THRESHOLD}]
        top_k, threshold = params.get(TOP_K), params.get(THRESHOLD)
        if top_k is not None and not (type(top_k) is int and 1 <= top_k <= MOST_CLASSES):
            findings.append(FieldError(f"body.params.{TOP_K}", f"must be a whole number from 1 to {MOST_CLASSES}"))
        if threshold is not None and not (type(threshold) in {int, float} and 0 <= threshold <= 1):
            findings.append(FieldError(f"body.params.{THRESHOLD}", "must be a number from 0 to 1"))
        if findings:
            raise InvalidInputs(findings)
        return cls(top_k, None if threshold is None else float(threshold))
