"""The wire types of feedback."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.model_serving.schemas import ModelName

MOST_ITEMS = 1000
MOST_LABELS = 10_000
REQUEST_ID = r"^[A-Za-z0-9._-]{1,64}$"
PREDICTION_ID = r"^[A-Za-z0-9._-]{1,64}:[0-9]{1,5}$"

Status = Literal["stored", "updated", "unchanged", "unknown", "not_sampled", "ambiguous", "invalid"]


MOST_SIZE = 1e100
"""Greatest number of a label or value: its square still is one."""
MOST_DEPTH = 20


def _bounded(label: object, depth: int = 0) -> object:
    if depth > MOST_DEPTH:
        raise ValueError(f"a label may have at most {MOST_DEPTH} levels of lists and records")
    if isinstance(label, int | float) and not abs(label) <= MOST_SIZE:
        raise ValueError(f"numbers of a label must be finite, from {-MOST_SIZE:g} to {MOST_SIZE:g}")
    if isinstance(label, Mapping):
        for value in label.values():
            _bounded(value, depth + 1)
    elif isinstance(label, list):
        for value in label:
            _bounded(value, depth + 1)
    return label


Label = Annotated[Any, AfterValidator(_bounded)]


class FeedbackItem(BaseModel):
    """What came of a prediction."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[str, Field(pattern=REQUEST_ID)] | None = Field(
        default=None, description="`X-Request-ID` of the answer."
    )
    prediction_id: Annotated[str, Field(pattern=PREDICTION_ID)] | None = Field(
        default=None, description="One row of a request: its request id, a colon, and the number of the row from 0."
    )
    model: ModelName | None = Field(default=None, description="Needed when several models were asked under one id.")
    label: Label = Field(default=None, description="The truth, in the form of the prediction.")
    labels: Annotated[list[Label], Field(min_length=1, max_length=MOST_LABELS)] | None = Field(
        default=None, description="One for each row of the request; null for one that is not known."
    )
    value: Annotated[float, Field(allow_inf_nan=False, ge=-MOST_SIZE, le=MOST_SIZE)] | None = Field(
        default=None, description="What the prediction was worth, such as 1 for a purchase; counts for experiments."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.request_id is None) == (self.prediction_id is None):
            raise ValueError("give a request_id or a prediction_id")
        if self.label is not None and self.labels is not None:
            raise ValueError("give a label or labels, not both")
        if self.labels is not None and self.prediction_id is not None:
            raise ValueError("a prediction_id has one label")
        if self.label is None and self.labels is None and self.value is None:
            raise ValueError("give a label, labels or a value")
        return self

    @property
    def key(self) -> tuple[str, int | None]:
        """The request, and the row when one is named."""
        if self.prediction_id is None:
            return str(self.request_id), None
        request_id, _, position = self.prediction_id.partition(":")
        return request_id, int(position)


ITEM_FIELDS = frozenset({"request_id", "prediction_id"})


class FeedbackRequest(BaseModel):
    """Items, each of which is stored or not by itself. An item alone is taken too."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"items": [{"request_id": "4bf92f3577b34da6", "label": 1}]}]},
    )

    items: Annotated[list[FeedbackItem], Field(min_length=1, max_length=MOST_ITEMS)]

    @model_validator(mode="before")
    @classmethod
    def _single(cls, given: object) -> object:
        """Take an item by itself as a list of one."""
        return {"items": [given]} if isinstance(given, dict) and ITEM_FIELDS & given.keys() else given


class FeedbackResult(BaseModel):
    """What became of one item."""

    status: Status
    code: int = Field(description="The HTTP status that the item by itself would have had: 200, 404, 409 or 422.")
    detail: str | None = None


class FeedbackResponse(BaseModel):
    """What became of the items, in their order."""

    accepted: int
    refused: int
    results: list[FeedbackResult]
