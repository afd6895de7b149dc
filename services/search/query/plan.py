"""How vectors are searched: what the number of items that meet the filters decides."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from services.search.filters import Filters
from services.search.query.query import Query
from services.search.query.ranking import Strategy
from services.search.query.state import State

EXACT_SHARE = 0.05
"""Share of all vectors below which the HNSW index is not walked: most of what it visits would be thrown away, and what
is left misses true neighbours. Measured at 1 %: recall 0.73."""
EXACT_MOST = 50_000
NARROW_WEIGHT = 0.6
"""Of vectors. With more, what only the walk could find counts too much: with 0.7, queries of 100,000 items that kept
100 in sight had 95 of 100 results of those that kept 1,000."""
REMEMBERED = 4096
MEMORY_SECONDS = 30.0

CountKey = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before vectors are searched.

    Attributes:
        matching: Embedded items that meet the filters, counted up to `threshold` + 1.
        threshold: Items up to which all are compared.
        pending: Whether items that meet the filters wait for their embedding.
        filtered: Whether there are filters.
    """

    matching: int
    threshold: int
    pending: bool
    filtered: bool

    def strategy(self, limit: int) -> Strategy:
        """Return how to search for so many results."""
        if self.matching <= max(self.threshold, limit):
            return "exact"
        return "iterative" if self.filtered else "plain"


def exact_threshold(exact_rows: int, vectors: int) -> int:
    """Return the number of items up to which all are compared.

    Args:
        exact_rows: Up to which that is faster than the index, whatever their share.
        vectors: In the index, of all tenants.
    """
    return max(exact_rows, min(int(EXACT_SHARE * vectors), EXACT_MOST))


def may_be_narrow(query: Query, state: State, weight: float) -> bool:
    """Tell whether a walk may keep less in sight than usual, if words propose as much as vectors do.

    What the walk misses then mostly comes by words, and is compared with the query. That counts where the similarity
    does and not the rank, and for what is embedded.

    Args:
        query: What is asked.
        state: The index.
        weight: Of the vectors.
    """
    scored = query.mode == "hybrid" and query.fusion == "convex"
    return scored and weight <= NARROW_WEIGHT and not (state.pending or state.failed)


class CountMemory:
    """Remembers for some seconds how many items meet which filters.

    A large count that has become wrong costs time and never results: a walk that finds too few is followed by a
    comparison of all. A small one is told to callers, so it holds for its generation of the index only.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[CountKey, tuple[float, int | None, int]] = OrderedDict()

    def find(self, tenant: str, filters: Filters, generation: int) -> int | None:
        """Return the count; None when it is unknown, old, or that of another generation."""
        until, counted_in, count = self._counts.get((tenant, filters.key()), (0.0, None, 0))
        return count if until >= time.monotonic() and counted_in in {None, generation} else None

    def keep(self, tenant: str, filters: Filters, count: int, generation: int | None) -> None:
        """Remember a count, and forget the oldest ones above a bound.

        Args:
            tenant: Whose items.
            filters: What they meet.
            count: How many there are.
            generation: The only one of the index that the count holds for; None for any.
        """
        key = (tenant, filters.key())
        self._counts[key] = (time.monotonic() + MEMORY_SECONDS, generation, count)
        self._counts.move_to_end(key)
        while len(self._counts) > REMEMBERED:
            self._counts.popitem(last=False)
