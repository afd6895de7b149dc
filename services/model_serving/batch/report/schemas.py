"""The wire types of reports."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.model_serving.monitoring.schemas import ColumnFinding


class ReportCounts(BaseModel):
    """What became of the items."""

    items: int
    succeeded: int
    failed: int
    cancelled: int
    retries: int


class Percentiles(BaseModel):
    """Seconds that so many in a hundred did not exceed."""

    p50: float
    p95: float


class ReportTimes(BaseModel):
    """How long it took."""

    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    wait_seconds: float | None = Field(description="From the request to the first chunk.")
    run_seconds: float | None = Field(description="From the first chunk to the end, with what others had in between.")
    items_per_second: float | None
    chunk_seconds: Percentiles | None = Field(
        default=None, description="Of chunks, from their claim to their results, the loading of the model with it."
    )
    item_seconds: Percentiles | None = Field(
        default=None, description="Of items, each of which takes an equal part of the time of its chunk."
    )


class NumberSpread(BaseModel):
    """How numbers are spread."""

    least: float
    mean: float
    median: float
    greatest: float
    counts: list[int]
    edges: list[float] = Field(description="Of the bins, one more than there are bins.")


class ReportAnswers(BaseModel):
    """What the model answered; at most 100,000 answers are counted."""

    answers: int
    truncated: int | None = Field(
        default=None, description="Of texts of which the model read only the beginning; null in reports of before."
    )
    classes: dict[str, int] = Field(description="The 50 most frequent ones; of images the objects that were found.")
    other_classes: int
    confidence: list[int] | None = Field(description="Answers by their confidence, in tenths.")
    numbers: NumberSpread | None
    uncounted: int | None = Field(
        default=None,
        description="Answers that are neither classes nor numbers, such as objects without a label; null in reports of "
        "before.",
    )


class ReportDrift(BaseModel):
    """The items and answers against the training of the version; at most 20,000 of them are compared."""

    status: Literal["compared", "too_few_rows", "no_reference", "not_comparable"]
    rows: int
    alarm: bool
    columns: list[ColumnFinding]


class BatchReport(BaseModel):
    """What a job came to."""

    job: UUID
    model: str
    version: str
    state: str
    counts: ReportCounts
    errors: dict[str, int] = Field(description="Failed items by the code of their error.")
    times: ReportTimes
    answers: ReportAnswers
    drift: ReportDrift
