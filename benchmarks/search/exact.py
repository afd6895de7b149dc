"""The true neighbours of queries, by comparing every item; what recall is measured against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.corpus import TAGS, Corpus, Floats

DEPTH = 10
KEPT = 64
"""Nearest items that are kept of each query; more than `DEPTH`, for those that are as near as the last one."""
ROUNDING = 5e-5
"""Of similarities, where vectors are stored in half precision: an item that is no farther than this from the last
neighbour is as true a neighbour as it is."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest items of each query.

    Attributes:
        near: By tag, for each query the items that count as true neighbours, `DEPTH` or a few more.
        matching: By tag, how many items have it.
        checksum: Of the items.
    """

    near: Mapping[str, Sequence[frozenset[int]]]
    matching: Mapping[str, int]
    checksum: int

    def wanted(self, tag: str | None) -> int:
        """Return how many results a query has that asks for ten."""
        return min(DEPTH, self.matching[tag or "all"])

    def judge(self, tag: str, answers: Sequence[Sequence[int]]) -> dict[str, float]:
        """Compare answers, one for each query, with the true ones.

        Returns:
            recall_at_10, the mean over the queries, and short_answers, which have fewer items than there are.
        """
        wanted = self.wanted(tag)
        shares = [
            len(near.intersection(answer)) / wanted if wanted else 1.0
            for near, answer in zip(self.near[tag], answers, strict=True)
        ]
        short = sum(len(set(answer)) < wanted for answer in answers)
        return {"recall_at_10": round(float(np.mean(shares)), 4), "short_answers": short}


def find(corpus: Corpus, vectors: Floats) -> Neighbours:
    """Compare all items with the queries, a chunk at a time.

    Args:
        corpus: The items.
        vectors: A unit row for each query.
    """
    best = {tag: _Best(len(vectors)) for tag in TAGS}
    checksum = 0
    for chunk in corpus.chunks():
        checksum = chunk.checksum(checksum)
        similarities = vectors @ chunk.vectors.T
        for tag, found in best.items():
            rows = np.flatnonzero(chunk.tags[tag])
            found.add(similarities[:, rows], chunk.first + rows)
    return Neighbours(
        near={tag: found.near() for tag, found in best.items()},
        matching={tag: found.seen for tag, found in best.items()},
        checksum=checksum,
    )


class _Best:
    """The nearest items seen so far."""

    def __init__(self, queries: int) -> None:
        self.seen = 0
        self._similarities = np.empty((queries, 0), dtype=np.float32)
        self._numbers = np.empty((queries, 0), dtype=np.int64)

    def add(self, similarities: Floats, numbers: NDArray[np.int64]) -> None:
        self.seen += len(numbers)
        similarities = np.hstack([self._similarities, similarities])
        repeated = np.broadcast_to(numbers, (len(similarities), len(numbers)))
        numbers = np.hstack([self._numbers, repeated])
        if similarities.shape[1] > KEPT:
            places = np.argpartition(similarities, -KEPT, axis=1)[:, -KEPT:]
            similarities = np.take_along_axis(similarities, places, axis=1)
            numbers = np.take_along_axis(numbers, places, axis=1)
        self._similarities, self._numbers = similarities, numbers

    def near(self) -> list[frozenset[int]]:
        wanted = min(DEPTH, self.seen)
        if not wanted:
            return [frozenset()] * len(self._similarities)
        last = np.partition(self._similarities, -wanted, axis=1)[:, -wanted]
        kept = self._similarities >= last[:, None] - ROUNDING
        return [frozenset(map(int, row[chosen])) for row, chosen in zip(self._numbers, kept, strict=True)]
