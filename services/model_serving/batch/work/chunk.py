"""A chunk under way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.model_serving.batch.jobs.job import Kind


@dataclass(frozen=True, slots=True)
class Claim:
    """What says that a chunk is somebody's.

    Attributes:
        number: Of the chunk in its job.
        claim: How often it was taken; with another number it is somebody else's.
    """

    tenant_id: str
    job_id: UUID
    number: int
    claim: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that this process holds.

    Attributes:
        claim: By which it does.
        items: Numbers of its items.
        input: The items as a JSON list; None when they are elsewhere.
        deaths: How often its holder died over it, other than over the loading of the model.
        queued_at: Since when it waited.
        source: Where the items are.
        kind: What is to be done with it.
        load_deaths: How often its holder died while it loaded the model.
        taken_at: When it was taken, on the monotonic clock, in seconds.
    """

    claim: Claim
    items: Sequence[int]
    input: bytes | None
    deaths: int
    queued_at: datetime
    source: dict[str, Any] | None = None
    kind: Kind = "score"
    load_deaths: int = 0
    taken_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self.taken_at
