"""Re-ranking of the best candidates by a model that reads the query together with each text."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import structlog

from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import PlatformError
from services.search import metrics
from services.search.embedding_client import EmbeddingClient
from services.search.fusion import Fused
from services.search.query import repository
from services.search.query.query import Query
from services.search.query.ranking import Ranking
from services.search.query.steps import Steps

CHARACTERS = 4000
"""Of a text that are sent; re-rankers read a few hundred tokens."""

logger = structlog.get_logger(__name__)


class Reranking:
    """Puts the best candidates into the order of the re-ranker. Without it their order stays, and the answer says so.

    Args:
        database: Where texts are.
        embedding: Has the re-ranker.
        patience: Seconds that it may take.
    """

    def __init__(self, database: Database, embedding: EmbeddingClient, *, patience: float) -> None:
        self._database = database
        self._embedding = embedding
        self._patience = patience

    async def apply(self, principal: Principal, query: Query, ranking: Ranking, steps: Steps) -> Ranking:
        """Re-rank the first `query.rerank` candidates; those behind them keep their order.

        Args:
            principal: Who asks.
            query: What.
            ranking: The candidates.
            steps: The times.
        """
        best = ranking.candidates[: query.rerank]
        if not best:
            return ranking
        try:
            async with asyncio.timeout(self._patience):
                with steps.step("rerank"):
                    reordered, model = await self._rerank(principal, query, best)
        except (psycopg.Error, PlatformError, TimeoutError) as error:
            return _degraded(ranking, error)
        return replace(ranking, candidates=[*reordered, *ranking.candidates[len(best) :]], reranker=model)

    async def _rerank(
        self, principal: Principal, query: Query, best: Sequence[Fused]
    ) -> tuple[list[Fused], str | None]:
        keys = [candidate.key for candidate in best]
        async with self._database.reading(principal.tenant) as connection:
            texts = await repository.read_texts(connection, keys, CHARACTERS)
        # An item that was deleted meanwhile has no text; it goes behind those that have, and no page shows it.
        read = [candidate for candidate in best if candidate.key in texts]
        if not read:
            return list(best), None
        found = await self._embedding.rerank(query.text, [texts[candidate.key] for candidate in read], principal)
        ranks = {candidate.key: rank for rank, candidate in enumerate(best, start=1)}
        scored = [
            candidate._replace(rerank_score=score, fused_rank=ranks[candidate.key])
            for candidate, score in zip(read, found.scores, strict=True)
        ]
        scored.sort(key=lambda candidate: -(candidate.rerank_score or 0.0))
        left = [candidate for candidate in best if candidate.key not in texts]
        return [*scored, *left], f"{found.model}:{found.version}"


def _degraded(ranking: Ranking, error: Exception) -> Ranking:
    is_outage = isinstance(error, TimeoutError | psycopg.OperationalError | PlatformError)
    logger.warning("search.not_reranked", error=type(error).__name__, exc_info=None if is_outage else error)
    metrics.DEGRADED.labels("rerank").inc()
    if isinstance(error, PlatformError):
        why = error.detail
    else:
        why = "that took too long." if isinstance(error, TimeoutError) else "their texts could not be read."
    explained = ranking.explained(f"The results are not re-ranked: {why}")
    return replace(explained, degraded=[*ranking.degraded, "rerank"])
