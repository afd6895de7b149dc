"""The quality of search on a judged collection, through the API of a running service."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlplatform.retrieval.client import SearchClient
from mlplatform.retrieval.collection import Collection
from mlplatform.retrieval.measures import ndcg, recall, reciprocal_rank
from mlplatform.retrieval.shares import ndcg_by_weight, read_shares

DEPTH = 100
PAGE = 10
POLL_SECONDS = 0.5
RANKINGS: Mapping[str, Mapping[str, str]] = {
    "lexical": {"mode": "lexical"},
    "vector": {"mode": "vector"},
    "convex": {"mode": "hybrid", "fusion": "convex"},
    "rrf": {"mode": "hybrid", "fusion": "rrf"},
}
"""What is compared: each leg alone, and both ways of fusing them."""
FUSED = "convex"

Progress = Callable[[str, int, int], None]
"""Told of a step, how much of it is done, and of how much."""


class EmbeddingTimeoutError(Exception):
    """Documents were not embedded in time."""


@dataclass(slots=True)
class Figures:
    """Measures of one ranking, of each query.

    Attributes:
        ndcg: nDCG@10.
        recall: Recall@100.
        reciprocal_rank: Of the first relevant document among ten.
        milliseconds: Until the answer.
        incomplete: Answers that said that something may be missing.
    """

    ndcg: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    reciprocal_rank: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    incomplete: int = 0

    def add(self, ranking: Sequence[str], relevant: set[str], answer: Mapping[str, Any], milliseconds: float) -> None:
        """Add a query."""
        self.ndcg.append(ndcg(ranking, relevant))
        self.recall.append(recall(ranking, relevant, DEPTH))
        self.reciprocal_rank.append(reciprocal_rank(ranking, relevant))
        self.milliseconds.append(milliseconds)
        self.incomplete += not answer["complete"]

    def summary(self) -> dict[str, float]:
        """Return the means over the queries."""
        return {
            "ndcg_at_10": round(statistics.fmean(self.ndcg), 4),
            "recall_at_100": round(statistics.fmean(self.recall), 4),
            "mrr_at_10": round(statistics.fmean(self.reciprocal_rank), 4),
            "query_ms_p50": round(statistics.median(self.milliseconds), 1),
            "query_ms_p95": round(_percentile(self.milliseconds, 0.95), 1),
            "incomplete_answers": self.incomplete,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Attributes:
        figures: By ranking.
        first_page: nDCG@10 of each query, fused and asked for ten results: so few come of fewer candidates.
        by_weight: nDCG@10 of each query, for each weight of `shares.WEIGHTS`.
        weight: Of the vectors, as the service has it for this kind of items.
        documents: What became of the documents.
    """

    figures: Mapping[str, Figures]
    first_page: Sequence[float]
    by_weight: Sequence[Sequence[float]]
    weight: float
    documents: Mapping[str, float]

    def summary(self) -> dict[str, Any]:
        """Return the figures as one document."""
        rankings = {name: figures.summary() for name, figures in self.figures.items()}
        better = max(rankings["lexical"]["ndcg_at_10"], rankings["vector"]["ndcg_at_10"])
        return {
            **self.documents,
            "queries": len(self.by_weight),
            "weight": self.weight,
            "rankings": rankings,
            "first_page_ndcg_at_10": round(statistics.fmean(self.first_page), 4),
            "fused_against_better_leg": round(rankings[FUSED]["ndcg_at_10"] / better - 1, 4) if better else None,
        }


def load(api: SearchClient, collection: Collection, timeout: float, progress: Progress) -> dict[str, float]:
    """Index the documents of a collection and wait until each is embedded or has failed.

    Returns:
        Figures of it.

    Raises:
        EmbeddingTimeoutError: That takes longer than `timeout` seconds.
        ServiceError: The service refused or is down.
    """
    started = time.perf_counter()
    keys = list(collection.documents)
    stored = 0
    for count in api.index(collection.documents):
        stored += count
        progress("index", stored, len(keys))
    stored_after = time.perf_counter() - started
    failed = 0
    for number, key in enumerate(keys, start=1):
        while (state := api.state(key)) == "pending":
            if time.perf_counter() - started > timeout:
                raise EmbeddingTimeoutError(f"not all documents were embedded within {timeout:g} s; see --timeout")
            time.sleep(POLL_SECONDS)
        failed += state == "failed"
        progress("embed", number, len(keys))
    return {
        "documents": len(keys),
        "empty_documents": len(collection.empty),
        "failed_documents": failed,
        "store_seconds": round(stored_after, 1),
        "embed_seconds": round(time.perf_counter() - started, 1),
    }


def evaluate(
    api: SearchClient,
    queries: Mapping[str, str],
    relevant: Mapping[str, set[str]],
    documents: Mapping[str, float],
    progress: Progress,
) -> Evaluation:
    """Ask every query of every ranking.

    Args:
        api: The service.
        queries: Id → text.
        relevant: Query id → ids of its relevant documents.
        documents: Figures of the documents, for the summary.
        progress: Told of each query.

    Raises:
        ServiceError: The service refused or is down.
    """
    figures = {name: Figures() for name in RANKINGS}
    first_page: list[float] = []
    by_weight: list[list[float]] = []
    weight = 0.0
    for number, (key, query) in enumerate(queries.items(), start=1):
        for name, options in RANKINGS.items():
            asked = time.perf_counter()
            ranking, answer = api.search(query, DEPTH, **options)
            figures[name].add(ranking, relevant[key], answer, (time.perf_counter() - asked) * 1000)
        first_page.append(ndcg(api.search(query, PAGE, **RANKINGS[FUSED])[0], relevant[key]))
        shares, weight = read_shares(api, query)
        by_weight.append(ndcg_by_weight(shares, relevant[key]))
        progress("search", number, len(queries))
    return Evaluation(figures, first_page, by_weight, weight, documents)


def _percentile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=100)[round(share * 100) - 1] if len(values) > 1 else values[0]
