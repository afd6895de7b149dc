"""The lexical leg, as a query asks it."""

from collections.abc import Awaitable, Callable

from services.search.filters import Filters
from services.search.lexical import LexicalHits, Reason, parse_query, search_lexical
from services.search.query.repository import Connection

LexicalSearch = Callable[[Connection, str, Filters, int], Awaitable[LexicalHits]]
"""Searches for the words of a text: connection, text, conditions, most hits."""

REASONS = {
    Reason.NO_WORDS: "The query has no word that is searched for: only stop words, operators or punctuation.",
    Reason.NO_MATCH: "No item has a word of the query, or all words and phrases in quotes.",
    Reason.FILTERED: "Items have words of the query, and none of them meets the filters.",
}


async def search_words(connection: Connection, text: str, filters: Filters, limit: int) -> LexicalHits:
    """Search for the words of a text."""
    return await search_lexical(connection, parse_query(text), filters, limit)
