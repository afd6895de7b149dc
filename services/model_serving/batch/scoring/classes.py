"""The answer to a classification, the same for texts and images."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.errors import LoadError

TOP_K = 5
DECIMALS = 6


def ranked(probabilities: Mapping[str, float], wishes: Wishes, *, truncated: bool | None = None) -> dict[str, Any]:
    """Return the likeliest classes.

    Args:
        probabilities: By class.
        wishes: How many; below which confidence the answer is marked as not `certain`.
        truncated: Whether only the beginning was read; None where that cannot be, or is not known.

    Raises:
        ValueError: There are none, or they are no numbers.
    """
    order = sorted(probabilities, key=lambda label: (-probabilities[label], label))
    if not order or not all(map(math.isfinite, probabilities.values())):
        raise ValueError("no probabilities")
    label, confidence = order[0], float(probabilities[order[0]])
    answer: dict[str, Any] = {"label": label, "confidence": round(confidence, DECIMALS)}
    if wishes.threshold is not None:
        answer["certain"] = confidence >= wishes.threshold
    if truncated is not None:
        answer["truncated"] = truncated
    answer["top"] = [
        {"label": name, "probability": round(float(probabilities[name]), DECIMALS)}
        for name in order[: wishes.top_k or TOP_K]
    ]
    return answer


def rows_of(answer: npt.NDArray[Any], labels: Sequence[str]) -> list[dict[str, float]]:
    """Name the columns of a matrix of probabilities.

    Raises:
        LoadError: It has another number of columns than there are classes.
    """
    if answer.ndim != 2 or answer.shape[1] != len(labels):  # noqa: PLR2004 (a matrix)
        raise LoadError(f"The model answers {answer.shape}, and its metadata names {len(labels)} classes.")
    return [dict(zip(labels, row, strict=True)) for row in answer.tolist()]
