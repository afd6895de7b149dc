"""A chunk under way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


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
        input: The items as a JSON list.
        deaths: How often its holder died over it.
        queued_at: Since when it waited.
    """

    claim: Claim
    items: Sequence[int]
    input: bytes
    deaths: int
    queued_at: datetime
