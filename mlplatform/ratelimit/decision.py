"""What a bucket says to one request."""

import math
from dataclasses import dataclass

MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What the bucket says.

    Attributes:
        allowed: whether the request may go on.
        limit: tokens of a full bucket.
        remaining: whole tokens left.
        reset: whole seconds until the bucket is full.
        retry_after: whole seconds until it has a token.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int

    def headers(self) -> dict[str, str]:
        """The headers that tell the caller."""
        fields = {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }
        return fields if self.allowed else {**fields, "Retry-After": str(max(1, self.retry_after))}


def seconds(microseconds: int) -> int:
    """Whole seconds, rounded up."""
    return math.ceil(microseconds / MICROSECONDS)
