"""What a gate says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How a version came through a gate. Only `failed` stops it."""

    PASSED = "passed"
    WARNED = "warned"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one gate.

    Attributes:
        gate: Which gate.
        status: How it went.
        message: What was found, and how to mend it.
        detail: The numbers behind it, as JSON.
    """

    gate: str
    status: Status
    message: str
    detail: Mapping[str, object] = field(default_factory=dict)
