"""The wire types of reviews."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.model_serving.schemas import ModelName

ReviewStateName = Literal["pending", "approved", "corrected", "rejected"]
Note = Annotated[str, Field(max_length=2000)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]


class Review(BaseModel):
    """A result that a person looks at."""

    id: UUID
    job: UUID
    item: int
    model: str
    version: str
    digest: str | None = Field(description="Of the artifacts of that version.")
    input: Any = Field(description="The item, or what is known of the file that it was and where that is stored.")
    output: Any = Field(description="What the model answered.")
    confidence: float
    state: ReviewStateName
    label: Any = Field(description="What it should have answered, when it was corrected.")
    note: str | None
    reviewer: str | None
    created_at: datetime
    decided_at: datetime | None


class ReviewPage(BaseModel):
    """A page of reviews, newest first."""

    reviews: list[Review]
    next_cursor: str | None


class ReviewNote(BaseModel):
    """What there is to say to a decision."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = None


class Correction(BaseModel):
    """What the model should have answered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"label": "cat"}]})

    label: Any = Field(description="In the shape of the labels that the model was trained with; not null.")
    note: Note | None = None

    @model_validator(mode="after")
    def _some_label(self) -> Self:
        if self.label is None:
            raise ValueError("give a label; what has none is rejected")
        return self


class BulkDecision(BaseModel):
    """A decision about all pending reviews of a model with some confidence."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approved", "rejected"]
    model: ModelName
    version: str | None = Field(default=None, max_length=20)
    job: UUID | None = None
    min_confidence: Share | None = None
    max_confidence: Share | None = None


class BulkDecided(BaseModel):
    """How many reviews were decided."""

    decided: int = Field(description="At most 10,000 at a time; send it again until it is 0.")


class DayAccuracy(BaseModel):
    """What people thought of the answers of a version, by the day on which they decided, in UTC."""

    day: date
    version: str
    approved: int
    corrected: int
    rejected: int = Field(description="Cannot be told; they count neither way.")
    accuracy: float | None = Field(description="approved / (approved + corrected)")
    low: float | None = Field(description="Of the 95 % interval.")
    high: float | None


class ReviewAccuracy(BaseModel):
    """Accuracy among the answers that were reviewed: these are the least sure ones, the others are likely better."""

    model: str
    days: list[DayAccuracy]
