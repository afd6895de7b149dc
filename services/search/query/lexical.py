"""The lexical leg, as a query asks it."""

from collections.abc import Mapping
from dataclasses import replace

from services.search.filters import Filters
from services.search.lexical import Hit, LexicalHits, LexicalLeg, Reason, parse_query
from services.search.query.repository import Connection

PHRASE_BONUS = 0.25
"""What the phrases of a query add to the score of an item that has them all, as a share of the best score."""

REASONS = {
    Reason.NO_WORDS: "The query has no word that is searched for: only stop words, operators or punctuation.",
    Reason.NO_MATCH: "No item has a word of the query, or all words and phrases in quotes.",
    Reason.FILTERED: "Items have words of the query, and none of them meets the filters.",
    Reason.TOO_MANY: "So many items have words of the query that not all of them could be looked at.",
}


class WordSearch:
    """Searches for the words of a text.

    Args:
        leg: Finds words and phrases.
    """

    def __init__(self, leg: LexicalLeg) -> None:
        self._leg = leg

    async def search(
        self,
        connection: Connection,
        tenant: str,
        text: str,
        filters: Filters,
        limit: int,
        *,
        strict: bool,
        named: bool = True,
    ) -> LexicalHits:
        """Search.

        Args:
            connection: A transaction of the tenant.
            tenant: Whose items.
            text: Words, and phrases in quotes.
            filters: Conditions.
            limit: Most hits.
            strict: Whether an item must have the phrases. Otherwise they raise its score: questions in plain language
                have quotes too, and vectors propose items without the phrase anyway.
            named: Whether the keys of the items are needed; else they are left out where nothing here needs them.
        """
        query = parse_query(text)
        if strict or not query.phrases:
            return await self._leg.search(connection, tenant, query, filters, limit, named=named)
        found = await self._leg.search(connection, tenant, replace(query, phrases=()), filters, limit)
        if not found.hits:
            return found
        exact = await self._leg.search(connection, tenant, query, filters, limit)
        bonus = PHRASE_BONUS * found.hits[0].score
        raised = {hit.number: hit._replace(score=hit.score + bonus) for hit in exact.hits}
        hits = [*raised.values(), *(hit for hit in found.hits if hit.number not in raised)]
        hits.sort(key=lambda hit: -hit.score)
        return replace(found, hits=hits[:limit])

    async def name(self, connection: Connection, unnamed: Mapping[int, float]) -> list[Hit]:
        """Return those of some items that exist, in their order.

        Args:
            connection: A transaction of the tenant.
            unnamed: Number → score.
        """
        return await self._leg.name(connection, unnamed)
