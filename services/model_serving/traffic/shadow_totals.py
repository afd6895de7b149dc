"""What this replica saw of shadows, from its start on."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from services.model_serving.traffic.comparison import Comparison
from services.model_serving.traffic.histogram import DIFFERENCE, LATENCY, add

NAMES = ("model", "target", "epoch", "version")
Key = tuple[str, str, int, str]


@dataclass(slots=True)
class ShadowTotal:
    """One shadow.

    Attributes:
        requests: copies that it scored, or failed at.
        errors: of them, those it failed at.
        incomparable: of them, those whose answer has another shape than the caller's.
        dropped: copies that were thrown away before it saw them.
        compared: rows of which both answers are known.
        agreed: of them, those that agree.
        difference: absolute differences of scores, by bucket.
        shadow_seconds: time that it took, errors aside.
        primary_seconds: time that the same requests took for the caller.
        shadow_latency: the former by bucket.
        primary_latency: the latter by bucket.
    """

    requests: int = 0
    errors: int = 0
    incomparable: int = 0
    dropped: int = 0
    compared: int = 0
    agreed: int = 0
    difference: list[int] = field(default_factory=DIFFERENCE.empty)
    shadow_seconds: float = 0.0
    primary_seconds: float = 0.0
    shadow_latency: list[int] = field(default_factory=LATENCY.empty)
    primary_latency: list[int] = field(default_factory=LATENCY.empty)

    def add(self, other: "ShadowTotal") -> None:
        """Add what was seen elsewhere."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in HISTOGRAMS:
            add(getattr(self, name), getattr(other, name))

    def answered(self, comparison: Comparison | None, shadow_seconds: float, primary_seconds: float) -> None:
        """Count an answer."""
        self.requests += 1
        self.shadow_seconds += shadow_seconds
        self.primary_seconds += primary_seconds
        self.shadow_latency[LATENCY.index(shadow_seconds)] += 1
        self.primary_latency[LATENCY.index(primary_seconds)] += 1
        if comparison is None:
            self.incomparable += 1
            return
        self.compared += comparison.rows
        self.agreed += comparison.agreed
        for apart in comparison.differences.tolist():
            self.difference[DIFFERENCE.index(apart)] += 1


NUMBERS = ("requests", "errors", "incomparable", "dropped", "compared", "agreed", "shadow_seconds", "primary_seconds")
HISTOGRAMS = ("difference", "shadow_latency", "primary_latency")


class ShadowTotals:
    """Counts per shadow, and which of them were not sent yet."""

    def __init__(self) -> None:
        self._shadows: dict[Key, ShadowTotal] = {}
        self._unsent: set[Key] = set()

    def of(self, key: Key) -> ShadowTotal:
        """Return the total of a shadow, to be changed."""
        self._unsent.add(key)
        total = self._shadows.get(key)
        if total is None:
            total = self._shadows[key] = ShadowTotal()
        return total

    def unsent(self, replica: UUID) -> list[dict[str, Any]]:
        """Return the rows that changed since they were last taken, and count them as taken."""
        taken, self._unsent = self._unsent, set()
        return [
            {**dict(zip(NAMES, key, strict=True)), "replica": replica, **asdict(self._shadows[key])} for key in taken
        ]

    def unsend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count rows as not taken after all."""
        self._unsent |= {(row["model"], row["target"], row["epoch"], row["version"]) for row in rows}


def read_shadow(row: Mapping[str, Any]) -> ShadowTotal:
    """Make the total of a shadow of columns."""
    columns: dict[str, Any] = {name: row[name] for name in NUMBERS} | {name: list(row[name]) for name in HISTOGRAMS}
    return ShadowTotal(**columns)
