"""What a query is answered with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.search.query.ranking import Ranking


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of a ranking.

    Attributes:
        results: As they are shown, the best first.
        ranking: What they were cut from.
        cursor: Where the next page begins; None when there is none.
        index_changed: Whether the ranking is another one than that of the page before.
        facets: Counts of values among the candidates, by facet.
        explain: How the answer came about.
    """

    results: Sequence[Mapping[str, Any]]
    ranking: Ranking
    cursor: str | None = None
    index_changed: bool = False
    facets: Mapping[str, Any] | None = None
    explain: Mapping[str, Any] | None = None
