"""From a query to its candidates, by both legs at once."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import psycopg

from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.database.pool import NO_SETTINGS
from mlplatform.errors import DependencyUnavailable
from services.search import metrics
from services.search.embedding_client import EmbeddingClient, QueryVector
from services.search.errors import SpaceMismatchError
from services.search.fusion import Fused, Hits, extend, extend_words, fuse, scale_of, weight_of
from services.search.items import Key
from services.search.lexical import Reason
from services.search.query.comparison import FAILURES, Comparison
from services.search.query.course import Course
from services.search.query.failure import unavailable
from services.search.query.lexical import REASONS, WordSearch
from services.search.query.plan import Plan, may_be_narrow
from services.search.query.proposal import NOTHING, Proposal
from services.search.query.query import Query
from services.search.query.ranked import Ranked
from services.search.query.ranking import Leg, Ranking
from services.search.query.reasons import WAITING, emptiness
from services.search.query.state import Space, State
from services.search.query.vector_leg import VectorLeg
from services.search.spaces import QueryEmbedder


class Ranker:
    """Asks the legs and fuses what they propose.

    Args:
        database: Where postings are.
        embedding: Turns the query into a vector.
        vectors: The vector leg.
        words: The lexical leg.
        window: Most candidates of each leg.
        few: Candidates of each leg for a query that asks for few results.
        patience: Seconds that a leg may take.
    """

    def __init__(
        self,
        database: Database,
        embedding: EmbeddingClient,
        vectors: VectorLeg,
        words: WordSearch,
        *,
        window: int,
        few: int,
        patience: float,
    ) -> None:
        self._database = database
        self._embedder = QueryEmbedder(database, embedding)
        self._vectors = vectors
        self._words = words
        self._comparison = Comparison(vectors, words)
        self.patience = patience
        self.window = window
        self._few = min(few, window)

    def expected_settings(self, query: Query) -> Mapping[str, str]:
        """Return the settings that searching the query's vectors will probably need."""
        if query.mode == "lexical":
            return NO_SETTINGS
        return self._vectors.expected_settings(query.mode, filtered=bool(query.filters))

    def depth_of(self, query: Query, state: State) -> int:
        """Return how many candidates each leg is to propose: few where few are shown, and none far down.

        Items that could not be embedded are reached by words only, and only among the candidates.
        """
        wanted = 2 * max(query.position + query.limit, query.rerank or 0)
        if query.facets or state.failed:
            return self.window
        # Only where each candidate has the scores of both legs, few rank as well as many.
        least = self._few if query.mode == "hybrid" and query.fusion == "convex" else 2 * self._few
        return next((depth for depth in (least, 2 * self._few) if wanted <= depth <= self.window), self.window)

    async def rank(self, principal: Principal, query: Query, state: State, weight: float, course: Course) -> Ranked:
        """Rank the candidates of a query.

        The lexical leg searches and the filters are counted while the query is embedded.

        Args:
            principal: Who asks.
            query: What.
            state: The index.
            weight: Of the vectors.
            course: Its last transaction is left open where vectors were searched.

        Raises:
            DependencyUnavailable: No leg works, or the only one asked does not.
            SpaceMismatchError: The embedding service serves other weights than the index was made with, and words were
                not asked or failed too.
            Unprocessable: The embedding service refuses the text.
        """
        words = asyncio.create_task(self._ask_words(principal.tenant, query, course))
        try:
            narrow = may_be_narrow(query, state, weight)
            vectors = await self._ask_vectors(principal, query, state, words, course, narrow=narrow)
            if not words.done():
                await course.last.close()
            worded = await words
            too_narrow = vectors.narrow and len(worded.looked_for) < query.depth
            if too_narrow and worded.failure is None:  # words took long, and found little
                vectors = await self._widen(query, vectors, worded, course)
                too_narrow = vectors.narrow
        except BaseException:
            await _end(words)  # before the course ends the transaction that it searches in
            raise
        course.hand_over()
        completed = await self._comparison.complete(vectors, worded, course)
        if len(completed.words.hits) < len(worded.unnamed) and completed.words.failure is None:
            # An item gets another number when its text changes: words have found some by numbers that are gone by now.
            await course.last.close()
            again = await self._ask_words(principal.tenant, query, course, named=True)
            course.hand_over()
            if again.failure is None:
                completed = await self._comparison.complete(vectors, again, course)
            else:  # what was found is better than nothing, though it lacks an item
                partial = replace(completed.words, complete=False, reason=again.failure.detail)
                completed = replace(completed, words=partial, whole=False)
        worded = completed.words
        failed = {"vector": vectors.failure, "lexical": worded.failure}
        degraded: list[Leg] = [leg for leg in ("vector", "lexical") if failed[leg] is not None]
        failure = vectors.failure or worded.failure
        if failure is not None and (query.mode != "hybrid" or len(degraded) == len(failed)):
            raise failure
        for leg in degraded:
            metrics.DEGRADED.labels(leg).inc()
        ranking = self._fuse(query, vectors, worded, completed.similarities, weight)
        ranking = replace(ranking, degraded=degraded, complete=ranking.complete and not degraded)
        return Ranked(ranking, vectors.plan, vectors.space, completed.whole and not too_narrow)

    async def rank_beyond(
        self, principal: Principal, query: Query, state: State, ranking: Ranking, *, position: int, limit: int
    ) -> list[Fused]:
        """Rank what lies beyond the candidates, by the leg that can.

        Nothing there is approximate, so that pages neither repeat nor skip an item. It may take as long as a leg.

        Args:
            principal: Who asks.
            query: What.
            state: The index.
            ranking: The candidates.
            position: Where to begin, not before the end of the candidates.
            limit: Most results.

        Raises:
            DependencyUnavailable: The leg failed or took too long.
            SpaceMismatchError: The embedding service serves other weights than the index was made with.
        """

        async def search(state: State) -> list[Fused]:
            return await self._search_beyond(principal, query, state, ranking, position=position, limit=limit)

        try:
            async with asyncio.timeout(self.patience):
                return await self._embedder.go_on(principal.tenant, state, search)
        except (psycopg.Error, TimeoutError) as error:
            raise unavailable(ranking.more or "vector", error) from error

    async def _search_beyond(
        self, principal: Principal, query: Query, state: State, ranking: Ranking, *, position: int, limit: int
    ) -> list[Fused]:
        known = {candidate.key for candidate in ranking.candidates}
        start = position - len(ranking.candidates)
        # Of all, since a re-ranker may have left any of them last.
        most = min(candidate.score for candidate in ranking.candidates)
        if ranking.more == "lexical":
            async with self._database.reading(principal.tenant) as connection:
                found = await self._words.search(
                    connection,
                    principal.tenant,
                    query.text,
                    query.filters,
                    position + limit,
                    strict=query.mode == "lexical",
                )
            chosen = _beyond([hit[:3] for hit in found.hits], known)[start : start + limit]
            if query.mode == "lexical":
                return [Fused((kind, own), score, lexical_score=score) for kind, own, score in chosen]
            best = found.hits[0].score if found.hits else 0.0
            return extend_words(
                chosen, method=query.fusion, weight=ranking.weight, best=best, rank=position + 1, most=most
            )
        vector, space = await self._embedder.embed(principal, query.text, state)
        hits = await self._vectors.search_exact(
            principal.tenant, space, vector.literal(), query.filters, position + limit
        )
        chosen = _beyond(hits, known)[start : start + limit]
        if query.mode == "vector":
            return [Fused((kind, own), score, vector_score=score) for kind, own, score in chosen]
        return extend(
            chosen, method=query.fusion, weight=ranking.weight, scale=ranking.scale, rank=position + 1, most=most
        )

    def _fuse(
        self, query: Query, vectors: Proposal, words: Proposal, similarities: Mapping[Key, float], weight: float
    ) -> Ranking:
        more: Leg | None = None
        if len(vectors.hits) >= query.depth:
            more = "vector"
        elif words.cut:  # every embedded item is a candidate, and others have the words too
            more = "lexical"
        # Beyond the candidates there is no way to come back to one that was left out, unless it has a vector.
        limit = self.window if more == "vector" else None
        candidates = fuse(
            vectors.hits,
            words.hits,
            similarities,
            method=query.fusion,
            weight=weight,
            limit=limit,
            others=words.score(vectors),
        )
        if query.mode != "hybrid":  # one leg's own scores say more than a fusion of it with nothing
            candidates = [
                candidate._replace(score=score)
                for candidate in candidates
                if (score := candidate.vector_score if query.mode == "vector" else candidate.lexical_score) is not None
            ]
        pending = vectors.plan is not None and vectors.plan.pending
        reasons = [leg.failure.detail for leg in (vectors, words) if leg.failure is not None]
        further = (words.reason, WAITING if pending else emptiness(vectors.plan, candidates))
        reasons += [reason for reason in further if reason]
        return Ranking(
            candidates=candidates,
            strategy=vectors.strategy,
            complete=words.complete and not pending,
            more=more,
            reason=" ".join(reasons) or None,
            corrected=words.corrected,
            model=None if vectors.vector is None else vectors.vector.model,
            version=None if vectors.vector is None else vectors.vector.version,
            weight=weight_of(vectors.hits, words.hits, weight),
            scale=scale_of(vectors.hits, similarities),
        )

    async def _ask_vectors(
        self,
        principal: Principal,
        query: Query,
        state: State,
        words: "asyncio.Task[Proposal]",
        course: Course,
        *,
        narrow: bool,
    ) -> Proposal:
        if query.mode == "lexical":
            return NOTHING
        planning = asyncio.create_task(self._vectors.plan(principal.tenant, state, query.filters))

        async def search(state: State) -> Proposal:
            return await self._search_vectors(
                principal, query, state, planning, words=words, course=course, narrow=narrow
            )

        try:
            async with course.limit():
                return await self._embedder.go_on(principal.tenant, state, search)
        except (DependencyUnavailable, SpaceMismatchError) as error:
            return Proposal(failure=error)
        except (psycopg.Error, TimeoutError) as error:
            return Proposal(failure=unavailable("vector", error))
        finally:
            await _end(planning)

    async def _search_vectors(
        self,
        principal: Principal,
        query: Query,
        state: State,
        planning: "asyncio.Task[Plan]",
        *,
        words: "asyncio.Task[Proposal]",
        course: Course,
        narrow: bool,
    ) -> Proposal:
        with course.steps.step("embed"):
            vector, space = await self._embedder.embed(principal, query.text, state)
        plan = await planning
        with course.steps.step("vector"):
            others: Collection[int] = ()
            if words.done():  # as mostly, while the query was embedded
                others = words.result().looked_for
                narrow = narrow and len(others) >= query.depth
                course.hand_over()
            return await self._search(query, plan, space, vector, course, others=others, narrow=narrow)

    async def _widen(self, query: Query, found: Proposal, words: Proposal, course: Course) -> Proposal:
        """Keep as much in sight as usual after all; where that fails, what was found counts."""
        if found.plan is None or found.space is None or found.vector is None:
            return found
        course.hand_over()
        try:
            async with course.limit():
                with course.steps.step("vector"):
                    others = words.looked_for
                    return await self._search(
                        query, found.plan, found.space, found.vector, course, others=others, narrow=False
                    )
        except FAILURES as error:
            unavailable("vector", error)
            return found

    async def _search(
        self,
        query: Query,
        plan: Plan,
        space: Space,
        vector: QueryVector,
        course: Course,
        *,
        others: Collection[int],
        narrow: bool,
    ) -> Proposal:
        found = await self._vectors.search(
            course.last,
            space,
            plan,
            vector.literal(),
            query.filters,
            limit=query.depth,
            others=others,
            mode=query.mode,
            narrow=narrow,
            numbered=query.mode == "hybrid" and query.fusion == "convex",
        )
        return Proposal(
            found.hits,
            strategy=found.strategy,
            narrow=narrow and found.strategy in {"plain", "iterative"},
            plan=plan,
            vector=vector,
            space=space,
            asked=frozenset(others),
            compared=found.compared,
            numbers=found.numbers,
        )

    async def _ask_words(self, tenant: str, query: Query, course: Course, *, named: bool = False) -> Proposal:
        if query.mode == "vector":
            course.rest()
            return NOTHING
        try:
            async with course.limit():
                with course.steps.step("lexical"):
                    found = await self._words.search(
                        await course.first.connection(),
                        tenant,
                        query.text,
                        query.filters,
                        query.depth,
                        strict=query.mode == "lexical",
                        named=named or query.mode == "lexical",
                    )
        except BaseException as error:
            await course.first.abandon(error)
            if isinstance(error, psycopg.Error | DependencyUnavailable | TimeoutError):
                return Proposal(failure=unavailable("lexical", error))
            raise
        course.rest()
        why = found.reason if found.complete else Reason.TOO_MANY
        reason = None if why is None else REASONS[why]
        numbers = list(found.unnamed) or [hit.number for hit in found.hits]
        return Proposal(
            [(hit.entity_type, hit.entity_id, hit.score) for hit in found.hits],
            unnamed=found.unnamed,
            looked_for=numbers,
            cut=len(numbers) >= query.depth,
            reason=reason,
            corrected=found.corrected,
            complete=found.complete,
            scores=found.scores,
        )


def _beyond(hits: Hits, known: Collection[Key]) -> list[tuple[str, str, float]]:
    """Return the hits that are no candidates."""
    return [hit for hit in hits if (hit[0], hit[1]) not in known]


async def _end(task: "asyncio.Task[Any]") -> None:
    """Wait until a task that may not be needed any more is over, whatever became of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
