"""From a query to the items that have its words."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from services.search.filters import Filters
from services.search.lexical import repository
from services.search.lexical.blocks import BlockMemory
from services.search.lexical.bm25 import Scorer, Scores
from services.search.lexical.hit import Hit
from services.search.lexical.postings import QUICK_POSTINGS
from services.search.lexical.query import LexicalQuery
from services.search.lexical.repository import Connection, Words
from services.search.lexical.spelling import spellings

FILTERED_ROWS = 10_000
"""Items that meet the filters up to which these alone are ranked; above, the best are ranked and then filtered."""
SELECTIVE = 0.2
"""Share of the best items that must meet the filters; with fewer of them, all that do are counted."""
LOOKED_AT = 100_000
"""Of the best items, for filters and phrases that few of them meet."""
CORRECTED_WORDS = 8
MOST_SPELLINGS = 8_000
"""Tried for one query, each at the cost of an index probe; eight words of eight letters have about as many."""


class Reason(StrEnum):
    """Why nothing was found."""

    NO_WORDS = "no_words"  # the query is only stop words, operators and punctuation
    NO_MATCH = "no_match"  # no item has any of the words, or all words and phrases that were quoted
    FILTERED = "filtered"  # items have the words, and none of them meets the filters
    TOO_MANY = "too_many"  # so many items have the words that not all were looked at, and none of the best will do


@dataclass(frozen=True, slots=True)
class LexicalHits:
    """The answer to a query.

    Attributes:
        hits: The best first; of equal scores the one whose text was stored first.
        unnamed: Number → score of what was found, in the same order, where the caller names it; then there are no hits.
        terms: The words that were looked for, as they are indexed.
        reason: Why there is no hit; None when there is one.
        corrected: Word of the query → what was looked for instead, since nothing had any of the words.
        complete: Whether the hits are as many as asked for, or all there are.
        scorer: Says what other items score; None when there is no word to score by.
    """

    hits: Sequence[Hit] = ()
    unnamed: Mapping[int, float] = field(default_factory=dict)
    terms: Sequence[str] = ()
    reason: Reason | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    scorer: Scorer | None = None

    def scores(self, numbers: Collection[int]) -> dict[int, float]:
        """Return the BM25 of some items, of those that have any of the words.

        Args:
            numbers: Of items, as `search_items` has them.
        """
        if self.scorer is None or not numbers:
            return {}
        return self.scorer.of(numbers).by_number()


class LexicalLeg:
    """Searches for words.

    Args:
        memory: Keeps postings, since most queries have words that others had.
    """

    def __init__(self, memory: BlockMemory) -> None:
        self._memory = memory

    async def search(
        self,
        connection: Connection,
        tenant: str,
        query: LexicalQuery,
        filters: Filters,
        limit: int,
        *,
        named: bool = True,
    ) -> LexicalHits:
        """Find the items of the tenant that have words of the query and all of its phrases.

        Items are found as soon as they are stored, embedded or not. When nothing has any of the words, words that are
        one slip away from theirs are tried; quoted ones are meant as they are.

        Args:
            connection: A transaction of the tenant.
            tenant: Whose items.
            query: See `parse_query`.
            filters: Conditions.
            limit: Most results.
            named: Whether the keys of the items are needed; else they are left out where no condition needs them.
        """
        answer = await self._search(connection, tenant, query, filters, limit, named=named)
        if answer.reason is not Reason.NO_MATCH or query.phrases:
            return answer
        meant = spellings(query.words()[:CORRECTED_WORDS], MOST_SPELLINGS)
        corrected = await repository.read_known_spellings(connection, meant)
        if not corrected:
            return answer
        again = await self._search(connection, tenant, query.with_words(corrected), filters, limit, named=named)
        return replace(again, corrected=corrected)

    async def name(self, connection: Connection, unnamed: Mapping[int, float]) -> list[Hit]:
        """Return those of some items that exist, in their order.

        Args:
            connection: A transaction of the tenant.
            unnamed: Number → score.
        """
        return await repository.name(connection, unnamed)

    async def _search(
        self, connection: Connection, tenant: str, query: LexicalQuery, filters: Filters, limit: int, *, named: bool
    ) -> LexicalHits:
        words = await repository.read_words(connection, query.text, query.phrases)
        if not words.counts:
            return LexicalHits(reason=Reason.NO_WORDS)
        scorer, whole = await repository.read_scorer(connection, self._memory, tenant, words)
        if not (named or filters or words.phrases):
            best = await _best(scorer, limit)
            reason = None if len(best) else Reason.NO_MATCH if whole else Reason.TOO_MANY
            complete = len(best) == limit or whole
            return LexicalHits((), best.by_number(), tuple(words.counts), reason, complete=complete, scorer=scorer)
        hits, all_seen = await _choose(connection, words, scorer, filters, limit)
        complete = len(hits) == limit or (whole and all_seen)
        reason = None
        if not hits and not complete:
            reason = Reason.TOO_MANY
        elif not hits:
            unfiltered, _ = await _choose(connection, words, scorer, Filters(), 1) if filters else ([], True)
            reason = Reason.FILTERED if unfiltered else Reason.NO_MATCH
        return LexicalHits(hits, {}, tuple(words.counts), reason, complete=complete, scorer=scorer)


async def _choose(
    connection: Connection, words: Words, scorer: Scorer, filters: Filters, limit: int
) -> tuple[list[Hit], bool]:
    """Look at the best, twice as many as asked for where some may not do, and at more as long as too few do.

    Returns:
        Those that will do, and whether they are as many as asked for or all there are among the scores.
    """
    narrowed = bool(filters)
    chosen: Scores | None = None
    depth = 2 * limit if narrowed or words.phrases else limit
    while True:
        best = await _best(scorer, depth) if chosen is None else chosen.best(depth)
        rows = await repository.keep_matching(connection, best, words, filters, limit)
        if len(rows) == limit or len(best) < depth:
            return rows, True
        if narrowed and len(rows) < SELECTIVE * depth:
            narrowed = False
            matching = await repository.read_matching(connection, filters, FILTERED_ROWS + 1)
            if len(matching) <= FILTERED_ROWS:
                chosen = await asyncio.to_thread(scorer.of, matching)
                continue
        if depth >= LOOKED_AT:
            return rows, False
        if chosen is None:
            chosen = await _best(scorer, LOOKED_AT)  # once, and not again for each depth
        depth = min(4 * depth, LOOKED_AT)


async def _best(scorer: Scorer, most: int) -> Scores:
    if scorer.postings < QUICK_POSTINGS:
        return scorer.best(most)
    return await asyncio.to_thread(scorer.best, most)
