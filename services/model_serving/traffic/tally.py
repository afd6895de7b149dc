"""What a version did on a part of the traffic."""

from dataclasses import dataclass, field
from enum import StrEnum

from mlplatform.errors import PlatformError
from services.model_serving.traffic.histogram import LATENCY, add


class Outcome(StrEnum):
    """How a request ended; only errors count against a version, the rest is the caller's doing or the load's."""

    OK = "ok"
    ERROR = "error"
    REFUSED = "refused"
    SHED = "shed"


FAULT = 500
OVERLOAD = frozenset({"overloaded", "model_not_loaded", "dependency_unavailable"})


def outcome_of(error: PlatformError | None) -> Outcome:
    """Return how a request ended."""
    if error is None:
        return Outcome.OK
    if error.status < FAULT:
        return Outcome.REFUSED
    return Outcome.SHED if error.code in OVERLOAD else Outcome.ERROR


@dataclass(slots=True)
class Tally:
    """Counts that add up.

    Attributes:
        requests: answered, in whatever way, sheds aside.
        errors: of them, those that the version failed.
        refused: of them, those whose inputs it refused.
        seconds: of those that were answered well, together.
        latency: of those that were answered well, by bucket.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    seconds: float = 0.0
    latency: list[int] = field(default_factory=LATENCY.empty)

    def count(self, outcome: Outcome, seconds: float) -> None:
        """Count one request."""
        if outcome is Outcome.SHED:
            return
        self.requests += 1
        if outcome is Outcome.OK:
            self.seconds += seconds
            self.latency[LATENCY.index(seconds)] += 1
        elif outcome is Outcome.ERROR:
            self.errors += 1
        else:
            self.refused += 1

    def add(self, other: "Tally") -> None:
        """Add what was counted elsewhere."""
        self.requests += other.requests
        self.errors += other.errors
        self.refused += other.refused
        self.seconds += other.seconds
        add(self.latency, other.latency)

    @property
    def judged(self) -> int:
        """Requests that say something about the version."""
        return self.requests - self.refused

    @property
    def error_rate(self) -> float | None:
        """Errors among the judged; None when there are none."""
        return self.errors / self.judged if self.judged else None

    def percentile(self, share: float) -> float | None:
        """Return a quantile of the latency in seconds; None when nothing was answered well."""
        return LATENCY.quantile(self.latency, share)
