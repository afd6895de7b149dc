"""The wire types of monitoring."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class ColumnFinding(BaseModel):
    """One column of a window against training."""

    name: str
    part: Literal["input", "prediction"]
    kind: Literal["numeric", "categorical", "text"] = Field(description="Text is compared by its lengths.")
    level: Literal["none", "minor", "major"] = Field(description="`minor` is significant; `major` raises the alarm.")
    psi: float = Field(description="Population stability index.")
    psi_noise: float = Field(description="The index to expect when nothing has changed.")
    excess_psi: float
    psi_p: float
    test: Literal["ks", "chi_square"]
    statistic: float
    p: float
    p_column: float = Field(description="Least probability of the column, times its number of tests.")
    p_adjusted: float = Field(description="The same, corrected for the number of columns (Benjamini-Hochberg).")
    missing: float
    reference_missing: float
    bins: list[str]
    counts: list[int]
    reference_counts: list[int]


class QualityFigure(BaseModel):
    """A measure with its 95 % interval."""

    value: float
    low: float
    high: float


class RouteQuality(BaseModel):
    """How good a version was on a route, by the labels that came in."""

    version: str
    route: str
    task: Literal["classification", "regression"]
    labels: int
    incomparable: int = Field(description="Labels of another form than the prediction.")
    metrics: Mapping[str, QualityFigure]


class LoggedTraffic(BaseModel):
    """What was logged within the window; a sample of what was asked."""

    requests: int = 0
    rows: int = 0
    errors: int = 0
    latency_ms: list[float] | None = Field(default=None, description="Percentiles 50, 95 and 99.")


class WindowFinding(BaseModel):
    """One version in one window."""

    version: str
    status: Literal["compared", "too_few_rows", "no_reference", "not_comparable"]
    alarm: bool
    started_at: datetime
    ended_at: datetime
    rows: int
    columns: list[ColumnFinding]
    traffic: LoggedTraffic
    quality: list[RouteQuality]


class LogState(BaseModel):
    """What of the model's traffic is logged."""

    sample: float
    excluded: list[str]


class ModelMonitoring(BaseModel):
    """What monitoring knows of a model."""

    model: str
    log: LogState
    alarm: bool = Field(description="Whether the newest window of any version raises the alarm.")
    versions: list[WindowFinding] = Field(description="The newest window of each version, newest version first.")


class MonitoringHistory(BaseModel):
    """A page of the windows of a model, newest first."""

    model: str
    windows: list[WindowFinding]
    next_cursor: str | None
