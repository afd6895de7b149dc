"""From a query to its answer."""

from dataclasses import replace
from typing import Any

from mlplatform.auth import Principal
from mlplatform.database import Database
from services.search import metrics
from services.search.query import repository
from services.search.query.answer import Answer
from services.search.query.cache import RankingCache, ranking_key
from services.search.query.course import Course
from services.search.query.cursor import Cursor
from services.search.query.page import Pager
from services.search.query.query import Query
from services.search.query.ranked import Ranked
from services.search.query.ranker import Ranker
from services.search.query.reading import Reading
from services.search.query.reranking import Reranking
from services.search.query.state import State
from services.search.query.steps import Steps
from services.search.spaces import space_of

PARTIAL = "partial"
"""Ends the key of a ranking that lacks some similarities."""
EVEN_WEIGHT = 0.5
"""Of ranks, which unlike scores are alike in both legs."""


class Searcher:
    """Answers queries.

    Args:
        database: Where items are.
        ranker: Ranks candidates.
        pager: Cuts pages.
        cache: Keeps rankings.
        reranking: Re-ranks the best candidates.
        weight: Of the vectors, for an index that has none of its own.
        rerank: How many results are re-ranked, for an index that does not say.
    """

    def __init__(
        self,
        database: Database,
        ranker: Ranker,
        pager: Pager,
        cache: RankingCache,
        reranking: Reranking,
        *,
        weight: float,
        rerank: int,
    ) -> None:
        self._database = database
        self._ranker = ranker
        self._pager = pager
        self._cache = cache
        self._reranking = reranking
        self._weight = weight
        self._rerank = rerank

    async def search(self, principal: Principal, query: Query, cursor: str | None = None) -> Answer:
        """Find the items of the caller's tenant that answer a query best.

        Args:
            principal: Who asks.
            query: What.
            cursor: Where the page begins, as the page before said; None for the position of the query.

        Raises:
            CursorRefused: It is not a cursor of this query.
            DependencyUnavailable: Postgres is down, or every leg that was asked for failed.
            SpaceMismatchError: The embedding service serves other weights than the index was made with.
            Unprocessable: The embedding service refuses the text.
        """
        begin = None if cursor is None else Cursor.read(cursor, query.fingerprint())
        settings = self._ranker.expected_settings(query)
        async with Course(self._database, principal.tenant, settings, patience=self._ranker.patience) as course:
            return await self._answer(principal, query, begin, course)

    async def _answer(self, principal: Principal, query: Query, begin: Cursor | None, course: Course) -> Answer:
        with course.steps.step("state"):
            state = await _read_state(course.first)
        weight = self._choose_weight(query, state)
        wanted = replace(query, rerank=self._choose_rerank(query, state))
        depth = self._ranker.depth_of(wanted, state) if begin is None else min(begin.depth, self._ranker.window)
        query, wanted = replace(query, depth=depth), replace(wanted, depth=depth)
        current = ranking_key(wanted, state, weight, self._ranker.window)
        key = current if begin is None else begin.ranking
        ranked = None if query.explain else await self._find(principal.tenant, key)
        if ranked is None:
            key = current
            ranked = await self._ranker.rank(principal, query, state, weight, course)
            if wanted.rerank:
                await course.last.close()
                reranked = await self._reranking.apply(principal, wanted, ranked.ranking, course.steps)
                ranked = replace(ranked, ranking=reranked)
            if not query.explain and not ranked.ranking.degraded and ranked.lasting:
                await self._cache.keep(principal.tenant, key, ranked.ranking)
            # What a part is missing from is another ranking: the part may be back, or gone, when the next page is made.
            key = current = key + "".join(sorted(ranked.ranking.degraded)) + ("" if ranked.lasting else PARTIAL)
        course.hand_over()
        await course.first.close()
        position = query.position if begin is None else begin.position
        with course.steps.step("items"):
            page = await self._pager.cut(
                principal, query, state, ranked.ranking, position=position, reading=course.last
            )
        ranking = ranked.ranking
        if page.failure is not None:
            metrics.DEGRADED.labels(ranking.more).inc()
            ranking = ranking.cut_short(page.failure.detail)
        if page.reason is not None:
            ranking = ranking.explained(page.reason)
        metrics.QUERIES.labels(ranking.strategy).inc()
        metrics.RESULTS.observe(len(page.results))
        return Answer(
            results=page.results,
            ranking=ranking,
            cursor=None if page.end is None else Cursor(query.fingerprint(), key, page.end, depth).write(),
            index_changed=begin is not None and begin.ranking != current,
            facets=page.facets,
            explain=_explain(ranked, state, course.steps) if query.explain else None,
        )

    async def _find(self, tenant: str, key: str) -> Ranked | None:
        ranking = await self._cache.find(tenant, key)
        return None if ranking is None else Ranked(ranking)

    def _choose_rerank(self, query: Query, state: State) -> int:
        if query.rerank is not None:
            return query.rerank
        own = state.rerank(query.filters)
        return self._rerank if own is None else own

    def _choose_weight(self, query: Query, state: State) -> float:
        if query.weight is not None:
            return query.weight
        if query.fusion == "rrf":
            return EVEN_WEIGHT
        own = state.weight(query.filters)
        return self._weight if own is None else own


async def _read_state(reading: Reading) -> State:
    row = await repository.read_state(await reading.connection())
    return State(space_of(row), row["generation"], row["pending"], row["weights"], row["reranks"], row["failed"])


def _explain(ranked: Ranked, state: State, steps: Steps) -> dict[str, Any]:
    plan, space = ranked.plan, ranked.space or state.space
    return {
        "weight": ranked.ranking.weight,
        "candidates": len(ranked.ranking.candidates),
        "matching": None if plan is None else min(plan.matching, plan.threshold),
        "more_match": None if plan is None else plan.matching > plan.threshold,
        "space": None if space is None else space.id,
        "generation": state.generation,
        "milliseconds": steps.milliseconds,
    }
