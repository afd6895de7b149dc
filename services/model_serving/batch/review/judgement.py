"""What an output says of an item, and how sure of it it is, in the shapes that models answer in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCES = ("confidence", "score", "probability")
PLACES = ("box", "bbox")
"""What an entry of a list has that is one of many objects in an image, and not one of many answers to one question."""
ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model thinks of an item.

    Attributes:
        label: Its answer.
        confidence: Between 0 and 1.
    """

    label: Any
    confidence: float


def judge(output: Any) -> Judgement | None:  # noqa: ANN401 (a model may answer anything)
    """Return what an output says; None when it says nothing of how sure it is.

    An object with a label and a confidence is taken at its word; of a list of them the surest is the answer, but where
    they are objects in an image, the answer is the list and as sure as its least sure entry, and none where nothing was
    found. Numbers that add up to one are the probabilities of classes, which are named by their place or by their key.
    """
    match output:
        case {"detections": list() as found}:
            return _of_entries(found) if found else None
        case {"probabilities": (dict() | list()) as probabilities} if _own(output) is None:
            return _of_classes(_named(probabilities))
        case dict():
            return _of_entry(output) or _of_classes(output)
        case [dict(), *_]:
            return _of_entries(output)
        case list():
            return _of_classes(_named(output))
    return None


def _of_entry(entry: Mapping[str, Any]) -> Judgement | None:
    confidence = _own(entry)
    if confidence is None or "label" not in entry:
        return None
    return Judgement(entry["label"], confidence)


def _of_entries(entries: Sequence[Any]) -> Judgement | None:
    judged = [_of_entry(entry) if isinstance(entry, dict) else None for entry in entries]
    found = [one for one in judged if one is not None]
    if len(found) < len(entries):
        return None
    if any(place in entry for entry in entries for place in PLACES):
        return Judgement(list(entries), min(one.confidence for one in found))
    return max(found, key=lambda one: one.confidence)


def _of_classes(classes: Mapping[Any, Any]) -> Judgement | None:
    shares = {name: _share(value) for name, value in classes.items()}
    known = {name: share for name, share in shares.items() if share is not None}
    if len(known) < max(len(shares), 2) or not math.isclose(sum(known.values()), 1, abs_tol=ROUNDING):
        return None
    label = max(known, key=lambda name: known[name])
    return Judgement(label, known[label])


def _named(classes: dict[Any, Any] | list[Any]) -> dict[Any, Any]:
    return dict(enumerate(classes)) if isinstance(classes, list) else classes


def _own(entry: Mapping[str, Any]) -> float | None:
    return next((share for name in CONFIDENCES if (share := _share(entry.get(name))) is not None), None)


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)
