"""What the caller of a job wants to know of a classification or a detection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlplatform.errors import FieldError
from services.model_serving.batch.scoring.media import DETECTIONS, IMAGES, TEXTS
from services.model_serving.errors import InvalidInputs

TOP_K, THRESHOLD = "top_k", "threshold"
MOST: Mapping[str, int] = {TEXTS: 1000, IMAGES: 1000, DETECTIONS: 300}
"""Classes or boxes of an answer, by the task of the model."""


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
    def read(cls, params: Mapping[str, Any], task: str) -> "Wishes":
        """Read the parameters of a job.

        Args:
            params: As the caller gave them.
            task: Of the model.

        Raises:
            InvalidInputs: One is unknown or out of range.
        """
        unknown = f"is not known to models of the task {task}; they take {TOP_K} and {THRESHOLD}"
        findings = [FieldError(f"body.params.{name}", unknown) for name in sorted(params.keys() - {TOP_K, THRESHOLD})]
        top_k, threshold = params.get(TOP_K), params.get(THRESHOLD)
        if top_k is not None and not (type(top_k) is int and 1 <= top_k <= MOST[task]):
            findings.append(FieldError(f"body.params.{TOP_K}", f"must be a whole number from 1 to {MOST[task]}"))
        if threshold is not None and not (type(threshold) in {int, float} and 0 <= threshold <= 1):
            findings.append(FieldError(f"body.params.{THRESHOLD}", "must be a number from 0 to 1"))
        if findings:
            raise InvalidInputs(findings)
        return cls(top_k, None if threshold is None else float(threshold))

    @classmethod
    def accepted(cls, params: Mapping[str, Any], task: str) -> "Wishes":
        """Read the parameters of a job that was accepted, maybe by a release that took a higher `top_k`.

        Args:
            params: As the caller gave them.
            task: Of the model.

        Raises:
            InvalidInputs: One is unknown, or out of range in another way.
        """
        top_k = params.get(TOP_K)
        if type(top_k) is int and top_k > MOST[task]:
            params = {**params, TOP_K: MOST[task]}
        return cls.read(params, task)
