"""Counts over a logarithmic scale: small enough to send every second, and exact to add over replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log


@dataclass(frozen=True, slots=True)
class Scale:
    """Buckets that each reach `growth` times as far as the one before.

    Bucket 0 holds what is up to `lowest`; bucket i what is up to `lowest * growth ** i`; the last one all the rest.

    Attributes:
        lowest: upper edge of the first bucket.
        growth: from one edge to the next.
        size: number of buckets.
    """

    lowest: float
    growth: float
    size: int

    def index(self, value: float) -> int:
        """Return the bucket of a value that is not negative."""
        if value <= self.lowest:
            return 0
        return min(self.size - 1, ceil(log(value / self.lowest) / log(self.growth) - 1e-9))

    def edge(self, index: int) -> float:
        """Return the upper edge of a bucket."""
        return self.lowest * self.growth**index

    def quantile(self, counts: Sequence[int], share: float) -> float | None:
        """Return the upper edge of the bucket that holds a quantile; None when nothing was counted."""
        left = share * sum(counts)
        if not left:
            return None
        for index, count in enumerate(counts):
            left -= count
            if left <= 0:
                return self.edge(index)
        return self.edge(self.size - 1)

    def empty(self) -> list[int]:
        """Return counts of nothing."""
        return [0] * self.size


LATENCY = Scale(lowest=50e-6, growth=1.15, size=102)
"""Seconds, from 50 µs to a minute, each quantile within 15 %."""
DIFFERENCE = Scale(lowest=1e-9, growth=10**0.125, size=146)
"""Absolute differences of scores, from 1e-9 to 1e9, eight buckets a decade."""


def add(counts: list[int], more: Sequence[int]) -> None:
    """Add counts to counts."""
    for index, count in enumerate(more):
        counts[index] += count
