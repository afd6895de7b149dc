"""Measures of a ranking against binary judgements."""

import math
from collections.abc import Collection, Sequence


def ndcg(ranking: Sequence[str], relevant: Collection[str], depth: int = 10) -> float:
    """Normalised discounted cumulative gain.

    The gain of a relevant document at rank r is 1 / log2(r + 1); the sum over the first `depth` is divided by that of a
    ranking with all relevant documents first. Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
    techniques", ACM TOIS 20(4), 2002, with the discount of trec_eval's `ndcg_cut`, which BEIR reports.

    Args:
        ranking: Ids of documents, the best first.
        relevant: Ids of the relevant ones, at least one.
        depth: Ranks that count.
    """
    gain = sum(1 / math.log2(rank + 1) for rank, key in enumerate(ranking[:depth], start=1) if key in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(depth, len(relevant)) + 1))
    return gain / best


def recall(ranking: Sequence[str], relevant: Collection[str], depth: int = 100) -> float:
    """Share of the relevant documents that are among the first `depth`."""
    return len(set(ranking[:depth]).intersection(relevant)) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str], depth: int = 10) -> float:
    """One over the rank of the first relevant document; 0 when none is among the first `depth`."""
    return next((1 / rank for rank, key in enumerate(ranking[:depth], start=1) if key in relevant), 0.0)
