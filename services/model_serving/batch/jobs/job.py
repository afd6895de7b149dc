"""A job, as it is stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.model_serving.engine.identity import ModelIdentity

State = Literal["queued", "running", "completed", "failed", "cancelled"]
ResultState = Literal["succeeded", "failed"]
Kind = Literal["score", "split", "finish"]
"""What is to be done with a chunk."""
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `batch_jobs`.

    Attributes:
        number: Where it stands in lists.
        kind: What its items came as.
        model: The version that scores it, as it was when the job was submitted.
        alias: By which the caller named that version.
        params: Parameters of the model.
        items: How many there are, so far while a chunk is to be split; each ends as succeeded, failed or cancelled.
        retries: How often its failed items were tried again.
        error: Why the job as a whole failed.
        subject: Who submitted it.
        traceparent: The trace of the request that submitted it.
        finish: Sources of the chunks that follow its end; None when none is wanted.
        review_below: Results with less confidence are reviewed.
        webhook: Where to tell of its end.
    """

    tenant_id: str
    id: UUID
    number: int
    kind: str
    model: dict[str, Any]
    alias: str | None
    params: dict[str, Any]
    state: State
    items: int
    succeeded: int
    failed: int
    cancelled: int
    retries: int
    error: str | None
    subject: str
    request_id: str | None
    traceparent: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    finish: list[dict[str, Any]] | None
    review_below: float | None = None
    webhook: str | None = None

    @property
    def identity(self) -> ModelIdentity:
        """The version that scores it."""
        return ModelIdentity(**self.model)

    @property
    def has_ended(self) -> bool:
        """Whether nothing happens to it any more by itself."""
        return self.state in ENDED
