"""The weight of vectors against words that suits judged queries."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

from mlplatform.retrieval.shares import WEIGHTS

FOLDS = 5
LEAST_QUERIES = 20
SEED = 0


class TooFewQueriesError(Exception):
    """There are too few judged queries to tell weights apart."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """A weight, and how sure it is.

    Attributes:
        weight: The best one on all queries.
        present: The one in use.
        queries: Judged queries.
        ndcg: nDCG@10 with the best weight, on the queries that it was chosen by.
        ndcg_present: The same with the one in use.
        gain_held_out: What weights chosen by some queries gain on others, against the one in use: mean of nDCG@10 over
            `FOLDS`-fold cross-validation.
        gain_error: Standard error of that mean.
    """

    weight: float
    present: float
    queries: int
    ndcg: float
    ndcg_present: float
    gain_held_out: float
    gain_error: float

    @property
    def is_gain(self) -> bool:
        """Whether another weight is better on queries that it was not chosen by, and hardly by chance."""
        return self.weight != self.present and self.gain_held_out > self.gain_error

    def figures(self) -> dict[str, float]:
        """Return the attributes, rounded, for a record."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def fit(ndcg_of_queries: Sequence[Sequence[float]], present: float) -> Tuning:
    """Choose a weight.

    Args:
        ndcg_of_queries: nDCG@10 of each query, for each of `WEIGHTS`.
        present: The weight in use.

    Raises:
        TooFewQueriesError: There are fewer than `LEAST_QUERIES`.
    """
    if len(ndcg_of_queries) < LEAST_QUERIES:
        raise TooFewQueriesError(
            f"{len(ndcg_of_queries)} judged queries are too few to tell weights apart; at least {LEAST_QUERIES}"
        )
    now = _nearest(present)
    best = _best(ndcg_of_queries, now)
    order = list(range(len(ndcg_of_queries)))
    random.Random(SEED).shuffle(order)  # noqa: S311 - the same folds every time
    gains = []
    for fold in range(FOLDS):
        held_out = set(order[fold::FOLDS])
        chosen = _best([row for number, row in enumerate(ndcg_of_queries) if number not in held_out], now)
        gains += [ndcg_of_queries[number][chosen] - ndcg_of_queries[number][now] for number in held_out]
    return Tuning(
        weight=WEIGHTS[best],
        present=WEIGHTS[now],
        queries=len(ndcg_of_queries),
        ndcg=fmean(row[best] for row in ndcg_of_queries),
        ndcg_present=fmean(row[now] for row in ndcg_of_queries),
        gain_held_out=fmean(gains),
        gain_error=stdev(gains) / len(gains) ** 0.5,
    )


def curve(ndcg_of_queries: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean over the queries for each of `WEIGHTS`."""
    return [fmean(column) for column in zip(*ndcg_of_queries, strict=True)]


def _best(rows: Sequence[Sequence[float]], now: int) -> int:
    """Return the place of the best weight. Each counts with its neighbours, so that a lone peak does not win."""
    means = curve(rows)
    smooth = [fmean(means[max(0, place - 1) : place + 2]) for place in range(len(means))]
    return max(range(len(smooth)), key=lambda place: (smooth[place], -abs(place - now)))


def _nearest(weight: float) -> int:
    return min(range(len(WEIGHTS)), key=lambda place: abs(WEIGHTS[place] - weight))
