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
        items: How many items have the term and are alive, at least one.
        entries: Rows of postings, each posting 8 bytes, big-endian: number << 26 | occurrences << 18 | tokens of the
            item. In all of them together, a number occurs once.
        dead: Numbers of items that are no more, 8 bytes each.
    """

    count: int
    required: bool
    items: int
    entries: Sequence[bytes]
    dead: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Scores:
    """Items with their scores.

    Attributes:
        numbers: Of the items, ascending.
        values: Their scores. The addends of every item are summed in the same order, so equal items have equal scores.
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
        entries = np.frombuffer(b"".join(posting.entries), ">i8").astype(np.int64)
        idf = math.log1p((items - posting.items + 0.5) / (posting.items + 0.5))
        part = np.multiply(entries & LENGTHS, slope, dtype=np.float64)
        part += K1 * (1 - B)
        part /= (entries >> TF_SHIFT) & OCCURRENCES
        part += 1.0
        np.divide(posting.count * idf * (K1 + 1), part, out=part)
        entries >>= NUMBER_SHIFT
        numbers.append(entries)
        parts.append(part)
    dead = np.frombuffer(b"".join(row for posting in postings for row in posting.dead), ">i8").astype(np.int64)
    return _sum(numbers, parts, [posting.required for posting in postings], dead)


def _sum(numbers: list[Numbers], parts: list[NDArray[np.float64]], required: Sequence[bool], dead: Numbers) -> Scores:
    """Add up the parts of each number."""
    lowest = min(int(term.min()) for term in numbers)
    span = max(int(term.max()) for term in numbers) - lowest + 1
    if span <= SPARSE * sum(map(len, numbers)):
        names: Numbers | None = None
        places = [np.subtract(term, lowest, out=term) for term in numbers]
        dead = dead[(dead >= lowest) & (dead < lowest + span)] - lowest
    else:
        names = np.unique(np.concatenate(numbers))
        places = [np.searchsorted(names, term) for term in numbers]
        dead = np.flatnonzero(np.isin(names, dead))
        span = len(names)
    total = np.zeros(span)
    for place, part in zip(places, parts, strict=True):
        total[place] += part  # no place occurs twice in a term
    if any(required):
        having = np.zeros(span, np.int32)
        for place, need in zip(places, required, strict=True):
            having[place] += need
        total[having < sum(required)] = 0.0
    total[dead] = 0.0
    found = np.flatnonzero(total)
    return Scores(found + lowest if names is None else names[found], total[found])
