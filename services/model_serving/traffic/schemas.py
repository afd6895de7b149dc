"""The wire types of traffic."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.report import ExperimentReport

__all__ = ["ExperimentReport"]

Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, for those who read the history.")]


class TrafficChange(BaseModel):
    """A routing document to put into effect."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"document": {"canary": {"alias": "staging", "percent": 5}}, "reason": "try the retrained one"}
            ]
        },
    )

    document: TrafficDocument
    reason: Reason | None = None


class AbortRequest(BaseModel):
    """What to stop."""

    model_config = ConfigDict(extra="forbid")

    route: Annotated[
        str,
        Field(pattern=r"^(canary|ab:[A-Za-z0-9_-]{1,64})$", description="`canary`, or `ab:` and the name of an arm."),
    ] = "canary"
    reason: Reason | None = None


class TargetView(BaseModel):
    """A version that the document names, as it stands on the replica that answers."""

    target: str = Field(description="A number, or an alias behind @.")
    state: Literal["loading", "ready", "failed"]
    version: str | None = Field(description="That answers for it.")
    reason: str | None


class RevisionView(BaseModel):
    """One state of the document."""

    model: str
    revision: int = Field(description="0 when there was never a document; also the ETag.")
    document: TrafficDocument | None = Field(description="None when there is none: all traffic goes to production.")
    action: Literal["set", "clear", "abort"]
    actor: str | None
    reason: str | None
    changed_at: datetime | None


class TrafficView(RevisionView):
    """The document, and what has become of it on the replica that answers."""

    in_effect: int | None = Field(description="Revision that this replica routes by; None when by none.")
    targets: list[TargetView]
    suspended: list[str] = Field(description="Routes that this replica stopped ahead of the document.")


class RevisionPage(BaseModel):
    """States of a document, newest first."""

    revisions: list[RevisionView]
    next_cursor: str | None


class RouteReport(BaseModel):
    """What happened on one route within the window of the abort rule, on all replicas."""

    route: str
    versions: list[str]
    requests: int
    errors: int
    refused: int
    error_rate: float | None
    mean_seconds: float | None
    p50_seconds: float | None
    p99_seconds: float | None


class ShadowReport(BaseModel):
    """How a shadow compares with what callers got, since it was set, on all replicas."""

    target: str
    versions: list[str]
    requests: int = Field(description="Copies that it scored or failed at.")
    dropped: int = Field(description="Copies that were thrown away so that callers need not wait.")
    errors: int
    error_rate: float | None
    incomparable: int = Field(description="Answers of another shape than the caller's.")
    rows: int = Field(description="Rows of which both answers are known.")
    agreement: float | None = Field(description="Share of the rows in which every value agrees.")
    difference_p50: float | None = Field(description="Quantiles of the absolute difference of scores, within 34 %.")
    difference_p90: float | None
    difference_p99: float | None
    mean_seconds: float | None
    mean_seconds_of_callers: float | None = Field(description="The same requests, as callers waited for them.")
    mean_delta_seconds: float | None
    p99_seconds: float | None
    p99_seconds_of_callers: float | None


class TrafficReport(BaseModel):
    """What the routes and the shadows of a model do."""

    model: str
    window_seconds: int
    routes: list[RouteReport]
    shadows: list[ShadowReport]
