"""Versions in production that could not be loaded, and when to try again."""

import time
from dataclasses import dataclass

LONGEST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One version that is promoted and not served.

    Attributes:
        version: its number.
        reason: why, for an operator.
        attempts: how often it was tried.
        retry_at: when to try again, on the monotonic clock.
    """

    version: str
    reason: str
    attempts: int
    retry_at: float

    @property
    def seconds_left(self) -> float:
        """Seconds until the next attempt."""
        return max(0.0, self.retry_at - time.monotonic())


def failed(previous: Failure | None, version: str, reason: str, first_wait: float) -> Failure:
    """Return the next failure of a model: each attempt at a version waits twice as long as the one before."""
    attempts = previous.attempts + 1 if previous is not None and previous.version == version else 1
    wait = min(LONGEST_WAIT, first_wait * 2.0 ** min(attempts - 1, 10))
    return Failure(version, reason, attempts, time.monotonic() + wait)
