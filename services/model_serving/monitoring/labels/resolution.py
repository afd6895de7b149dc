"""From an item of feedback to the rows that it labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.model_serving.monitoring.labels.repository import Labelled
from services.model_serving.monitoring.labels.schemas import FeedbackItem, FeedbackResult, Status
from services.model_serving.monitoring.policy import LogPolicies
from services.model_serving.monitoring.storable import storable

CODES: dict[Status, int] = {
    "stored": 200,
    "updated": 200,
    "unchanged": 200,
    "unknown": 404,
    "not_sampled": 404,
    "ambiguous": 409,
    "invalid": 422,
}
Logged = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """An item that can be stored.

    Attributes:
        version: That answered.
        route: Which arm that was.
        labelled: The rows that it labels.
        value: What it was worth.
    """

    version: str
    route: str
    labelled: tuple[Labelled, ...]
    value: float | None


def result(status: Status, detail: str | None = None) -> FeedbackResult:
    """Say what became of an item."""
    return FeedbackResult(status=status, code=CODES[status], detail=detail)


def resolve(item: FeedbackItem, found: Sequence[Logged], policies: LogPolicies) -> Resolved | FeedbackResult:
    """Find what an item labels.

    Args:
        item: What came in.
        found: What was logged under its request id: the newest answer of each model.
        policies: Say whether the request was to be logged at all.
    """
    request_id, position = item.key
    of_model = [row for row in found if item.model is None or row["model"] == item.model]
    if not of_model:
        return _absent(item, request_id, policies)
    if len({row["model"] for row in of_model}) > 1:
        return result("ambiguous", "several models were asked under this id: name the model")
    logged = of_model[0]
    if complaint := _mismatch(item, position, 1 if logged["whole"] else logged["rows"]):
        return result("invalid", complaint)
    labels = {place: label for place, label in enumerate(item.labels or ()) if label is not None}
    if item.labels is None:
        labels = {position or 0: item.label}
    if logged["positions"] is not None and not logged["whole"]:
        kept = frozenset(orjson.loads(logged["positions"]))
        labels = {place: label for place, label in labels.items() if place in kept}
    if not labels:
        return result("not_sampled", "none of the labelled rows was logged: of large requests only some rows are")
    labelled = [
        Labelled(
            request_id,
            logged["model"],
            place,
            None if label is None else _dump(label),
            item.value if number == 0 else None,
            logged["at"],
        )
        for number, (place, label) in enumerate(labels.items())
    ]
    return Resolved(logged["version"], logged["route"], tuple(labelled), item.value)


def _mismatch(item: FeedbackItem, position: int | None, rows: int) -> str | None:
    if position is not None and position >= rows:
        return f"prediction_id: the request has {rows} predictions, counted from 0"
    if item.labels is not None and len(item.labels) != rows:
        return f"labels: the request has {rows} predictions, not {len(item.labels)}"
    if position is None and item.label is not None and rows > 1:
        return f"label: the request has {rows} predictions; send labels, or a prediction_id"
    return None


def _absent(item: FeedbackItem, request_id: str, policies: LogPolicies) -> FeedbackResult:
    if item.model is not None and not policies.of(item.model).takes(request_id):
        return result("not_sampled", "the request was not logged: it is not in the sample of this model")
    return result("unknown", "no logged prediction has this id; it may be outside the sample, or too old")


def _dump(label: object) -> str:
    return orjson.dumps(storable(label)).decode()
