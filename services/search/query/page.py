"""Cutting pages from rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from services.search.query.reading import Reading
from services.search.query.repository import Connection
from services.search.query.state import State

PAGE_CHARACTERS = 4_000_000
"""Of the texts of a page; the one that reaches it is its last."""
READ_AT_ONCE = 50
FULL = f"The page ends early, since its texts have {PAGE_CHARACTERS:,} characters; the cursor goes on."


@dataclass(frozen=True, slots=True)
class Page:
    """Some results of a ranking.

    Attributes:
        results: As they are shown, the best first.
        end: Position after the last of them; None when no result follows.
        facets: Counts of values among the candidates, by facet.
        failure: Why results are missing that follow these; None when none are.
        reason: Why there are fewer results than asked for, though more follow; None when there are as many.
    """

    results: Sequence[Mapping[str, Any]]
    end: int | None
    facets: Mapping[str, Any] | None
    failure: PlatformError | None = None
    reason: str | None = None


@dataclass(slots=True)
class _Draft:
    """A page while it is read.

    Attributes:
        query: What is asked.
        position: After the last candidate that was looked at.
        marked: What to mark in the texts; None for no marks.
        results: As they are shown.
        characters: Of the texts that were read for them.
    """

    query: Query
    position: int
    marked: str | None
    results: list[Mapping[str, Any]] = field(default_factory=list)
    characters: int = 0

    @property
    def full(self) -> bool:
        """Whether its texts are all that a page may have."""
        return self.characters >= PAGE_CHARACTERS

    @property
    def wanted(self) -> int:
        """Results that are still to come."""
        return 0 if self.full else self.query.limit - len(self.results)

    def add(self, candidates: Sequence[Fused], items: Mapping[Key, dict[str, Any]]) -> None:
        """Take what there is of some candidates, until the page is full."""
        for candidate in candidates:
            if not self.wanted:
                return
            self.position += 1
            item = items.get(candidate.key)
            if item is not None:
                self.characters += item.pop("characters", 0)
                self.results.append(_shown(item, candidate, self.query))


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

    async def cut(
        self, principal: Principal, query: Query, state: State, ranking: Ranking, *, position: int, reading: Reading
    ) -> Page:
        """Return the page that begins at a position.

        When what lies beyond the candidates cannot be ranked in time, the page ends with them, and says why.

        Args:
            principal: Who asks.
            query: What.
            state: The index.
            ranking: What pages are cut from.
            position: Candidates before the page.
            reading: Items are read in it, and it is closed.

        Raises:
            DependencyUnavailable: Postgres is down, or the page has nothing but what could not be ranked.
            SpaceMismatchError: The same, as the embedding service serves other weights than the index was made with.
        """
        facets = None
        marked = LexicalQuery(query.text).with_words(ranking.corrected).text if query.highlight else None
        draft = _Draft(query, position, marked)
        candidates = ranking.candidates
        async with reading:
            connection = await reading.connection()
            while draft.wanted and draft.position < len(candidates):
                await self._read(connection, draft, candidates[draft.position : draft.position + draft.wanted])
            if query.facets:
                keys = [candidate.key for candidate in candidates]
                facets = await read_facets(connection, keys, query)
        while ranking.more and draft.wanted and draft.position < DEEPEST:
            try:
                chunk = await self._ranker.rank_beyond(
                    principal,
                    query,
                    state,
                    ranking,
                    position=draft.position,
                    limit=min(draft.wanted, DEEPEST - draft.position),
                )
            except (DependencyUnavailable, SpaceMismatchError) as error:
                if not draft.results:
                    raise
                return Page(draft.results, draft.position, facets, error)
            if not chunk:
                return Page(draft.results, None, facets)
            async with self._database.reading(principal.tenant) as connection:
                await self._read(connection, draft, chunk)
        follows = (draft.position < len(candidates) or ranking.more) and draft.position < DEEPEST
        cut = follows and draft.full and len(draft.results) < query.limit
        return Page(draft.results, draft.position if follows else None, facets, reason=FULL if cut else None)

    async def _read(self, connection: Connection, draft: _Draft, candidates: Sequence[Fused]) -> None:
        """Read items until the page is full, few at a time: a text may have 100,000 characters."""
        for start in range(0, len(candidates), READ_AT_ONCE):
            if not draft.wanted:
                return
            chunk = candidates[start : start + READ_AT_ONCE]
            rows = await repository.read_items(
                connection,
                [candidate.key for candidate in chunk],
                draft.query.filters,
                content=draft.query.content,
                words=draft.marked,
            )
            draft.add(chunk, {(row["entity_type"], row["entity_id"]): row for row in rows})


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
