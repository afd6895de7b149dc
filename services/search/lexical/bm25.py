"""BM25 over postings.

The sum is made here and not in SQL: for a query of frequent words it has hundreds of thousands of addends, and grouping
them took Postgres 200 to 400 ns each, numpy a tenth of it. And most addends are never made: once the best are known to
be better than anything that has the remaining words only, these are looked up for the candidates that are left (Turtle
and Flood, "Query Evaluation: Strategies and Optimizations", 1995, known as MaxScore).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.search.lexical.blocks import LENGTHS, NUMBER_SHIFT, OCCURRENCES, TF_SHIFT, Block, Numbers

K1 = 1.2
B = 0.75
SPARSE = 32
"""Numbers per posting up to which each number has a place in an array; above, the postings are sorted."""
WIDEST = 1 << 24
"""Most numbers that have a place; 8 bytes each."""
LOOK_UP = 8
"""Postings per candidate from which a candidate is looked up among them, and they are not gone through."""
ROUNDED = 1 + 1e-9
"""By what bounds are raised, for sums in another order may be rounded otherwise."""
OUT = -math.inf

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the query, and which items have it.

    Attributes:
        count: How often the query has it.
        required: Whether an item must have it.
        blocks: Its postings; in all of them together, a number occurs once.
    """

    count: int
    required: bool
    blocks: Sequence[Block]

    @property
    def items(self) -> int:
        """How many items have it and are alive."""
        return sum(block.added - block.removed for block in self.blocks)

    @property
    def postings(self) -> int:
        """How many are stored."""
        return sum(block.added for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Scores:
    """Items with their scores.

    Attributes:
        numbers: Of the items.
        values: Their scores. The addends of every item are summed in the same order, so equal items have equal scores.
    """

    numbers: Numbers
    values: Values

    def __len__(self) -> int:
        return len(self.numbers)

    def by_number(self) -> dict[int, float]:
        """Return number → score, in their order."""
        return dict(zip(self.numbers.tolist(), self.values.tolist(), strict=True))

    def best(self, most: int) -> "Scores":
        """Return the highest, the best first; of equal ones the lower number."""
        chosen = np.arange(len(self))
        if len(self) > most:
            bar = _bar(self.values, most)
            above, level = np.flatnonzero(self.values > bar), np.flatnonzero(self.values == bar)
            level = level[np.argsort(self.numbers[level], kind="stable")]
            chosen = np.concatenate((above, level[: most - len(above)]))
        order = chosen[np.lexsort((self.numbers[chosen], -self.values[chosen]))]
        return Scores(self.numbers[order], self.values[order])


NONE = Scores(np.empty(0, np.int64), np.empty(0, np.float64))


class Scorer:
    """Scores items that have some term, and every required one.

        sum over the terms of count * idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))
        idf = ln(1 + (items - items with the term + 0.5) / (items with the term + 0.5))

    Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with the count of a term in
    the query as its weight.

    Args:
        terms: Of the query, each with at least one posting, in the same order each time.
        items: Of the tenant.
        tokens: Of all its items together.
    """

    def __init__(self, terms: Sequence[Term], *, items: int, tokens: int) -> None:
        self._slope = K1 * B * items / tokens if tokens else 0.0
        weighed = [_Weighed(term, items, self._slope) for term in terms if tokens]
        self._terms = sorted(weighed, key=lambda term: -term.bound)
        self._rest = [ROUNDED * sum(term.bound for term in self._terms[place:]) for place in range(len(weighed) + 1)]
        self.postings = sum(term.postings for term in terms)

    def best(self, most: int) -> Scores:
        """Return the items with the highest scores, the best first; of equal ones the lower number first."""
        if not self._terms:
            return NONE
        required = [term for term in self._terms if term.required]
        if required:
            rarest = min(required, key=lambda term: sum(block.added for block in term.blocks))
            return self.of(np.concatenate([block.entries >> NUMBER_SHIFT for block in rarest.blocks])).best(most)
        lowest = min(int(block.entries[0]) for term in self._terms for block in term.blocks if block.added)
        highest = max(int(block.entries[-1]) for term in self._terms for block in term.blocks if block.added)
        lowest, span = lowest >> NUMBER_SHIFT, (highest >> NUMBER_SHIFT) - (lowest >> NUMBER_SHIFT) + 1
        if span > min(SPARSE * self.postings, WIDEST):
            return self.of(np.concatenate([b.entries >> NUMBER_SHIFT for t in self._terms for b in t.blocks])).best(
                most
            )
        return self._race(lowest, span, most)

    def of(self, numbers: Collection[int] | Numbers) -> Scores:
        """Return the scores of these items, of those that have what they must; ascending by number."""
        names: Numbers = (
            np.unique(numbers) if isinstance(numbers, np.ndarray) else np.array(sorted(set(numbers)), np.int64)
        )
        values = np.zeros(len(names))
        having = np.zeros(len(names), np.int32)
        required = 0
        for term in self._terms:
            required += term.required
            for block in term.blocks:
                places, entries = _look_up(block, names)
                values[places] += term.parts(entries)
                if term.required:
                    having[places] += 1
                if len(block.dead):
                    near = block.dead.take(block.dead.searchsorted(names), mode="clip")
                    values[near == names] = OUT
        if required:
            values[having < required] = OUT
        found = (values > 0).nonzero()[0]
        return Scores(names[found], values[found])

    def _race(self, lowest: int, span: int, most: int) -> Scores:
        """Add up the terms, those that can add most first, until no item with only the others can be among the best."""
        values = np.zeros(span)
        leaders = np.empty(0, np.int64)
        bar = 0.0
        place = 0
        while place < len(self._terms) and not self._rest[place] < bar:
            term = self._terms[place]
            touched = [term.add(block, values, lowest) for block in term.blocks]
            for dead in [block.dead - lowest for block in term.blocks if len(block.dead)]:
                values[dead[(dead >= 0) & (dead < span)]] = OUT
            place += 1
            if place < len(self._terms):
                leaders = _lead(values, [leaders, *touched], most, self._rest[place])
                bar = _bar(values[leaders], most) if len(leaders) >= most else 0.0
        candidates = np.flatnonzero(values >= max(bar - self._rest[place], math.ulp(0.0)))
        for later in range(place, len(self._terms)):
            self._terms[later].add_to(candidates, values, lowest)
            if len(candidates) > most:
                scores = values[candidates]
                candidates = candidates[scores >= _bar(scores, most) - self._rest[later + 1]]
        return Scores(candidates + lowest, values[candidates]).best(most)


class _Weighed:
    """A term with what it adds to scores."""

    def __init__(self, term: Term, items: int, slope: float) -> None:
        having = term.items
        self.blocks = term.blocks
        self.required = term.required
        self.weight = term.count * math.log1p((items - having + 0.5) / (having + 0.5)) * (K1 + 1)
        self._slope = slope
        self.bound = max((self._part(block.most, block.shortest) for block in term.blocks if block.added), default=0.0)

    def _part(self, occurrences: int, length: int) -> float:
        return self.weight / (1.0 + (K1 * (1 - B) + self._slope * length) / occurrences)

    def parts(self, entries: Numbers) -> Values:
        """Return what the term adds to the items of some postings."""
        parts: Values = np.multiply(entries & LENGTHS, self._slope, dtype=np.float64)
        parts += K1 * (1 - B)
        parts /= (entries >> TF_SHIFT) & OCCURRENCES
        parts += 1.0
        np.divide(self.weight, parts, out=parts)
        return parts

    def add(self, block: Block, values: Values, lowest: int) -> Numbers:
        """Add to all items of a block; return their places."""
        places = block.entries >> NUMBER_SHIFT
        places -= lowest
        values[places] += self.parts(block.entries)  # no place occurs twice in a term
        return places

    def add_to(self, candidates: Numbers, values: Values, lowest: int) -> None:
        """Add to some items, or to all where that costs less."""
        names = candidates + lowest
        for block in self.blocks:
            if block.added < LOOK_UP * len(candidates):
                self.add(block, values, lowest)
            else:
                found, entries = _look_up(block, names)
                values[candidates[found]] += self.parts(entries)


def _look_up(block: Block, names: Numbers) -> tuple[Numbers, Numbers]:
    """Return which of some items, ascending, a block has, and their postings."""
    if not block.added:
        return np.empty(0, np.int64), block.entries
    first, last = block.entries[0] >> NUMBER_SHIFT, block.entries[-1] >> NUMBER_SHIFT
    begin, end = names.searchsorted(first), names.searchsorted(last, side="right")
    wanted = names[begin:end]
    entries = block.entries[block.entries.searchsorted(wanted << NUMBER_SHIFT)]
    found = (entries >> NUMBER_SHIFT == wanted).nonzero()[0]
    return found + begin, entries[found]


def _lead(values: Values, places: Sequence[Numbers], most: int, rest: float) -> Numbers:
    """Return the places of the best, where they may decide that the rest of the terms finds nothing better."""
    best = []
    for some in places:
        scores = values[some]
        if len(some) > most:
            bar = _bar(scores, most) if scores.max() > rest else math.inf
            best.append(some[scores >= bar])
        else:
            best.append(some)
    leaders: Numbers = np.unique(np.concatenate(best))
    return leaders


def _bar(values: Values, most: int) -> float:
    """Return the score of the last of the best."""
    return float(np.partition(values, len(values) - most)[len(values) - most])
