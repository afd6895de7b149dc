"""What one leg proposes to a ranking."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mlplatform.errors import PlatformError
from services.search.embedding_client import QueryVector
from services.search.fusion import Hits
from services.search.items import Key
from services.search.query.plan import Plan
from services.search.query.ranking import Strategy
from services.search.query.state import Space
from services.search.query.vector_repository import Compared


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one leg gives.

    Attributes:
        hits: The best first.
        unnamed: Number → score of what words found, the best first, while its keys are not known; then there are no
            hits.
        looked_for: Numbers of what words found.
        cut: Whether there may be more than was looked for.
        reason: Why there are fewer than could be.
        corrected: Unknown word → the one that was looked for instead.
        complete: Whether nothing was left out that could be a hit.
        failure: Why the leg gives nothing; None when it worked.
        strategy: How vectors were searched.
        narrow: Whether a walk kept less in sight than usual, as will do where words propose as much.
        plan: What the strategy was chosen by.
        vector: The embedded query.
        space: The space that it was embedded for.
        asked: Numbers of what words found, where the query was compared with it already.
        compared: What came of it.
        numbers: Of what vectors propose, as words know it.
        scores: Says what other items score by words.
    """

    hits: Hits = ()
    unnamed: Mapping[int, float] = field(default_factory=dict)
    looked_for: Collection[int] = ()
    cut: bool = False
    reason: str | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    failure: PlatformError | None = None
    strategy: Strategy = "none"
    narrow: bool = False
    plan: Plan | None = None
    vector: QueryVector | None = None
    space: Space | None = None
    asked: Collection[int] = ()
    compared: Sequence[Compared] = ()
    numbers: Mapping[Key, int] = field(default_factory=dict)
    scores: Callable[[Collection[int]], Mapping[int, float]] = lambda _: {}

    def score(self, vectors: "Proposal") -> dict[Key, float]:
        """Return the BM25 of what only vectors propose, of that which has words of the query.

        Args:
            vectors: What they propose; this is what words propose.
        """
        looked_for = set(self.looked_for)
        unknown = {number: key for key, number in vectors.numbers.items() if number not in looked_for}
        return {unknown[number]: score for number, score in self.scores(unknown.keys()).items()}


NOTHING = Proposal()
