"""What one leg proposes to a ranking."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from mlplatform.errors import PlatformError
from services.search.embedding_client import QueryVector
from services.search.fusion import Hits
from services.search.items import Key
from services.search.query.plan import Plan
from services.search.query.ranking import Strategy
from services.search.query.state import Space


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one leg gives.

    Attributes:
        hits: The best first.
        reason: Why there are fewer than could be.
        corrected: Unknown word → the one that was looked for instead.
        complete: Whether nothing was left out that could be a hit.
        failure: Why the leg gives nothing; None when it worked.
        strategy: How vectors were searched.
        plan: What the strategy was chosen by.
        vector: The embedded query.
        space: The space that it was embedded for.
        compared: Items of the other leg that the query was compared with already.
        similarities: What came of it, of those that are embedded.
        numbers: Of what vectors propose, as words know it.
        scores: Says what other items score by words.
    """

    hits: Hits = ()
    reason: str | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    failure: PlatformError | None = None
    strategy: Strategy = "none"
    plan: Plan | None = None
    vector: QueryVector | None = None
    space: Space | None = None
    compared: Collection[Key] = ()
    similarities: Mapping[Key, float] = field(default_factory=dict)
    numbers: Mapping[Key, int] = field(default_factory=dict)
    scores: Callable[[Collection[int]], Mapping[int, float]] = lambda _: {}

    @property
    def keys(self) -> list[Key]:
        """Of the hits."""
        return [(kind, own) for kind, own, _ in self.hits]

    def score(self, vectors: "Proposal") -> dict[Key, float]:
        """Return the BM25 of what only vectors propose, of that which has words of the query.

        Args:
            vectors: What they propose; this is what words propose.
        """
        proposed = set(self.keys)
        unknown = {number: key for key, number in vectors.numbers.items() if key not in proposed}
        return {unknown[number]: score for number, score in self.scores(unknown.keys()).items()}


NOTHING = Proposal()
