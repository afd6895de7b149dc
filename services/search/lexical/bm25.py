"""BM25 over postings.

The sum is made here and not in SQL: for a query of frequent words it has hundreds of thousands of addends, and grouping
them took Postgres 200 to 400 ns each, numpy a tenth of it.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
TF_SHIFT = 18
NUMBER_SHIFT = 26
LENGTHS = (1 << TF_SHIFT) - 1
OCCURRENCES = (1 << (NUMBER_SHIFT - TF_SHIFT)) - 1
SPARSE = 32
"""Numbers per posting above which the postings are sorted; below, each number has a place in an array."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Posting:
    """A term of the query, and which items have it.

    Attributes:
        count: How often the query has it.
        required: Whether an item must have it.
        items: Items with the term that are alive, at least one.
        entries: 8 bytes each, big-endian: number << 26 | occurrences << 18 | tokens of the item.
        dead: Numbers of items that are no more, 8 bytes each.
    """

    count: int
    required: bool
    items: int
    entries: bytes
    dead: bytes


@dataclass(frozen=True, slots=True)
class Scores:
    """Items with their scores.

    Attributes:
        numbers: Of the items, ascending.
        values: Their scores, rounded to 8 digits after the point, so that equal items have equal scores whatever the
            order of the addends.
    """

    numbers: Numbers
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, numbers: Collection[int]) -> "Scores":
        """Return those of these items."""
        kept = np.isin(self.numbers, np.fromiter(numbers, np.int64, len(numbers)))
        return Scores(self.numbers[kept], self.values[kept])

    def best(self, most: int) -> "Scores":
        """Return the highest, the best first; of equal ones the lower number."""
        chosen = np.arange(len(self))
        if len(self) > most:
            bar = np.partition(self.values, len(self) - most)[len(self) - most]
            above, level = np.flatnonzero(self.values > bar), np.flatnonzero(self.values == bar)
            chosen = np.concatenate((above, level[: most - len(above)]))
        order = chosen[np.lexsort((self.numbers[chosen], -self.values[chosen]))]
        return Scores(self.numbers[order], self.values[order])


def score(postings: Sequence[Posting], *, items: int, tokens: int) -> Scores:
    """Return the score of each item that has some term, and every required one.

        sum over the terms of count * idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
        idf = ln(1 + (items - items with the term + 0.5) / (items with the term + 0.5))

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the count of a term in
    the query as its weight.

    Args:
        postings: Of the query's terms, in the same order each time.
        items: Of the tenant.
        tokens: Of all its items together.
    """
    if not postings or not tokens:
        return Scores(np.empty(0, np.int64), np.empty(0, np.float64))
    slope = K1 * B * items / tokens
    numbers: list[Numbers] = []
    parts: list[NDArray[np.float64]] = []
    for posting in postings:
        entries = np.frombuffer(posting.entries, ">i8").astype(np.int64)
        idf = math.log1p((items - posting.items + 0.5) / (posting.items + 0.5))
        occurrences = (entries >> TF_SHIFT) & OCCURRENCES
        part = np.multiply(entries & LENGTHS, slope, dtype=np.float64)
        part += K1 * (1 - B)
        part /= occurrences
        part += 1.0
        np.divide(posting.count * idf * (K1 + 1), part, out=part)
        numbers.append(entries >> NUMBER_SHIFT)
        parts.append(part)
    dead = [np.frombuffer(posting.dead, ">i8") for posting in postings if posting.dead]
    required = [posting.required for posting in postings]
    return _sum(numbers, parts, required, np.concatenate(dead).astype(np.int64) if dead else None)


def _sum(
    numbers: list[Numbers], parts: list[NDArray[np.float64]], required: list[bool], dead: Numbers | None
) -> Scores:
    everything = np.concatenate(numbers)
    lowest = int(everything.min())
    span = int(everything.max()) - lowest + 1
    if span <= SPARSE * len(everything):
        names: Numbers | None = None
        places = everything - lowest
    else:
        names, places = np.unique(everything, return_inverse=True)
        span = len(names)
    total = np.bincount(places, np.concatenate(parts), span)
    if any(required):
        needed = np.concatenate([np.full(len(part), need) for part, need in zip(parts, required, strict=True)])
        total[np.bincount(places, needed, span) < sum(required)] = 0.0
    if dead is not None:
        total[(dead[(dead >= lowest) & (dead < lowest + span)] - lowest) if names is None else np.isin(names, dead)] = 0
    found = np.flatnonzero(total)
    return Scores(found + lowest if names is None else names[found], np.round(total[found], 8))
