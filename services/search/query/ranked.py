"""The candidates of a query, with what they came from."""

from dataclasses import dataclass

from services.search.query.plan import Plan
from services.search.query.ranking import Ranking
from services.search.query.state import Space


@dataclass(frozen=True, slots=True)
class Ranked:
    """A ranking, and what `explain` shows beside it.

    Attributes:
        ranking: The candidates.
        plan: What the strategy was chosen by.
        space: The space that vectors were searched in; None when they were not.
        lasting: Whether another query would rank the same, so that the ranking is worth keeping.
    """

    ranking: Ranking
    plan: Plan | None = None
    space: Space | None = None
    lasting: bool = True
