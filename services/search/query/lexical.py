"""What a query needs of the lexical leg."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.search.filters import Filters
from services.search.query.repository import Connection


class LexicalHits(Protocol):
    """What words proposed."""

    @property
    def hits(self) -> Sequence[tuple[str, str, float]]:
        """Entity type, entity id and BM25, the best first."""

    @property
    def reason(self) -> str | None:
        """Why there are none."""


LexicalSearch = Callable[[Connection, str, Filters, int], Awaitable[LexicalHits]]
"""Searches a text for an item's words: connection, query, conditions, most hits."""


@dataclass(frozen=True, slots=True)
class NoHits:
    """What a leg that is not there proposes."""

    hits: Sequence[tuple[str, str, float]] = ()
    reason: str | None = "Words are not searched."


async def search_words(connection: Connection, text: str, filters: Filters, limit: int) -> LexicalHits:  # noqa: ARG001 - the interface of the leg
    """Search for the words of a query."""
    return NoHits()
