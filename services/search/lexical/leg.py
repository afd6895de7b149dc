"""From a query to the items that have its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from services.search.filters import Filters
from services.search.lexical import repository
from services.search.lexical.query import LexicalQuery
from services.search.lexical.repository import Connection, Words
from services.search.lexical.spelling import neighbours

FILTERED_ROWS = 10_000
"""Items that meet the filters up to which these alone are ranked; above, the best are ranked and then filtered."""
SELECTIVE = 0.2
"""Share of the best items that must meet the filters; with fewer of them, all that do are counted."""
CORRECTED_WORDS = 8


class Hit(NamedTuple):
    """An item that was found; the score is BM25, 0 or more."""

    entity_type: str
    entity_id: str
    score: float


class Reason(StrEnum):
    """Why nothing was found."""

    NO_WORDS = "no_words"  # the query is only stop words, operators and punctuation
    NO_MATCH = "no_match"  # no item has any of the words, or all words and phrases that were quoted
    FILTERED = "filtered"  # items have the words, and none of them meets the filters


@dataclass(frozen=True, slots=True)
class LexicalHits:
    """The answer to a query.

    Attributes:
        hits: The best first; of equal scores the one whose text was stored first.
        terms: The words that were looked for, as they are indexed.
        reason: Why there is no hit; None when there is one.
        corrected: Word of the query → what was looked for instead, since nothing had any of the words.
    """

    hits: Sequence[Hit] = ()
    terms: Sequence[str] = ()
    reason: Reason | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)


async def search_lexical(connection: Connection, query: LexicalQuery, filters: Filters, limit: int) -> LexicalHits:
    """Find the items of the tenant that have words of the query and all of its phrases.

    Items are found as soon as they are stored, embedded or not. When nothing has any of the words, words that are one
    slip away from theirs are tried; quoted ones are meant as they are.

    Args:
        connection: A transaction of the tenant.
        query: See `parse_query`.
        filters: Conditions.
        limit: Most results.
    """
    answer = await _search(connection, query, filters, limit)
    if answer.reason is not Reason.NO_MATCH or query.phrases:
        return answer
    meant = [(word, spelling) for word in query.words()[:CORRECTED_WORDS] for spelling in sorted(neighbours(word))]
    corrected = await repository.read_known_spellings(connection, meant)
    if not corrected:
        return answer
    return replace(await _search(connection, query.with_words(corrected), filters, limit), corrected=corrected)


async def _search(connection: Connection, query: LexicalQuery, filters: Filters, limit: int) -> LexicalHits:
    words = await repository.read_words(connection, query.text, query.phrases)
    if not words.counts:
        return LexicalHits(reason=Reason.NO_WORDS)
    hits = await _rank(connection, words, filters, limit)
    if hits:
        return LexicalHits(hits, tuple(words.counts))
    filtered = bool(filters) and await _rank(connection, words, Filters(), 1)
    return LexicalHits((), tuple(words.counts), Reason.FILTERED if filtered else Reason.NO_MATCH)


async def _rank(connection: Connection, words: Words, filters: Filters, limit: int) -> list[Hit]:
    """Rank the best, twice as many as asked for when some may not do, and more as long as too few of them do."""
    narrowed = bool(filters)
    numbers: list[int] | None = None
    depth = 2 * limit if narrowed or words.phrases else limit
    while True:
        ranked = await repository.rank(connection, words, filters, numbers, depth=depth, limit=limit)
        if len(ranked.rows) == limit or ranked.considered < depth:
            return [Hit(row["entity_type"], row["entity_id"], row["score"]) for row in ranked.rows]
        share = len(ranked.rows) / depth
        if narrowed and share < SELECTIVE:
            narrowed = False
            matching = await repository.read_matching(connection, filters, FILTERED_ROWS + 1)
            if len(matching) <= FILTERED_ROWS:
                numbers = matching
                continue
        depth = max(4 * depth, min(int(1.5 * limit / share), 16 * depth) if share else 16 * depth)
