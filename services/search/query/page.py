"""Cutting pages from rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable, PlatformError
from services.search.errors import SpaceMismatchError
from services.search.fusion import Fused
from services.search.items import Key
from services.search.lexical import LexicalQuery
from services.search.query import repository
from services.search.query.facets import read_facets
from services.search.query.highlights import read_highlights
from services.search.query.query import DEEPEST, Query
from services.search.query.ranker import Ranker
from services.search.query.ranking import Ranking
from services.search.query.repository import Connection
from services.search.query.state import State


@dataclass(frozen=True, slots=True)
class Page:
    """Some results of a ranking.

    Attributes:
        results: As they are shown, the best first.
        end: Position after the last of them; None when no result follows.
        facets: Counts of values among the candidates, by facet.
        failure: Why results are missing that follow these; None when none are.
    """

    results: Sequence[Mapping[str, Any]]
    end: int | None
    facets: Mapping[str, Any] | None
    failure: PlatformError | None = None


class Pager:
    """Reads the items of a page.

    Items are read for every answer, and their conditions checked again: one that was deleted or changed since it was
    ranked is passed over, and the next one takes its place.

    Args:
        database: Where items are.
        ranker: Ranks what lies beyond the candidates.
    """

    def __init__(self, database: Database, ranker: Ranker) -> None:
        self._database = database
        self._ranker = ranker

    async def cut(self, principal: Principal, query: Query, state: State, ranking: Ranking, position: int) -> Page:
        """Return the page that begins at a position.

        When what lies beyond the candidates cannot be ranked in time, the page ends with them, and says why.

        Raises:
            DependencyUnavailable: Postgres is down, or the page has nothing but what could not be ranked.
            SpaceMismatchError: The same, as the embedding service serves other weights than the index was made with.
        """
        results: list[Mapping[str, Any]] = []
        facets = None
        marked = LexicalQuery(query.text).with_words(ranking.corrected).text if query.highlight else None
        candidates = ranking.candidates
        async with self._database.pipeline(principal.tenant) as connection:
            while len(results) < query.limit and position < len(candidates):
                chunk = candidates[position : position + query.limit - len(results)]
                results += await self._read(connection, query, chunk, marked)
                position += len(chunk)
            if query.facets:
                keys = [candidate.key for candidate in candidates]
                facets = await read_facets(connection, keys, query)
        while ranking.more and len(results) < query.limit and position < DEEPEST:
            try:
                chunk = await self._ranker.rank_beyond(
                    principal,
                    query,
                    state,
                    ranking,
                    position=position,
                    limit=min(query.limit - len(results), DEEPEST - position),
                )
            except (DependencyUnavailable, SpaceMismatchError) as error:
                if not results:
                    raise
                return Page(results, position, facets, error)
            if not chunk:
                return Page(results, None, facets)
            async with self._database.pipeline(principal.tenant) as connection:
                results += await self._read(connection, query, chunk, marked)
            position += len(chunk)
        follows = position < len(candidates) or ranking.more
        return Page(results, position if follows and position < DEEPEST else None, facets)

    async def _read(
        self, connection: Connection, query: Query, chunk: Sequence[Fused], marked: str | None
    ) -> list[Mapping[str, Any]]:
        rows = await repository.read_items(
            connection,
            [candidate.key for candidate in chunk],
            query.filters,
            content=query.content,
            words=marked,
        )
        items: dict[Key, dict[str, Any]] = {(row["entity_type"], row["entity_id"]): row for row in rows}
        return [_shown(items[candidate.key], candidate, query) for candidate in chunk if candidate.key in items]


def _shown(item: dict[str, Any], candidate: Fused, query: Query) -> dict[str, Any]:
    headline = item.pop("headline", None)
    item["score"] = candidate.score
    if candidate.rerank_score is not None:
        item["rerank_score"] = candidate.rerank_score
    if query.highlight:
        item["highlights"] = read_highlights(headline or "")
    if query.explain:
        item["explain"] = {
            "vector": {
                "score": candidate.vector_score,
                "rank": candidate.vector_rank,
                "share": candidate.vector_share,
            },
            "lexical": {
                "score": candidate.lexical_score,
                "rank": candidate.lexical_rank,
                "share": candidate.lexical_share,
            },
        }
        if candidate.rerank_score is not None:
            item["explain"]["rerank"] = {"score": candidate.rerank_score, "rank_before": candidate.fused_rank}
    return item
