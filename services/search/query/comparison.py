"""What one leg says of the candidates of the other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import psycopg

from mlplatform.errors import DependencyUnavailable
from services.search.fusion import Hits
from services.search.items import Key
from services.search.query.course import Course
from services.search.query.failure import unavailable
from services.search.query.lexical import WordSearch
from services.search.query.proposal import Proposal
from services.search.query.vector_leg import VectorLeg

FAILURES = (psycopg.Error, DependencyUnavailable, TimeoutError)


@dataclass(frozen=True, slots=True)
class Completed:
    """What both legs say together.

    Attributes:
        words: What words propose, named.
        similarities: Of what vectors do not propose, as far as it is embedded.
        whole: Whether all was compared.
    """

    words: Proposal
    similarities: Mapping[Key, float]
    whole: bool


class Comparison:
    """Compares the query with what only words propose, and names it on the way.

    Args:
        vectors: The vector leg.
        words: The lexical leg.
    """

    def __init__(self, vectors: VectorLeg, words: WordSearch) -> None:
        self._vectors = vectors
        self._words = words

    async def complete(self, vectors: Proposal, words: Proposal, course: Course) -> Completed:
        """Name what words propose, and compare the query with what of it vectors do not propose.

        Similarities are of use, but no need: without them there are none. Without names words propose nothing.

        Args:
            vectors: What vectors propose.
            words: What words propose.
            course: Its last transaction is used, or opened. Where its time is over, nothing is compared or named.
        """
        near = {number: key for key, number in vectors.numbers.items()}
        missing = [number for number in words.looked_for if number not in near and number not in vectors.asked]
        compared = list(vectors.compared)
        whole = True
        if vectors.vector is not None and vectors.space is not None and missing:
            try:
                async with course.limit():
                    with course.steps.step("compare"):
                        literal = vectors.vector.literal()
                        compared += await self._vectors.compare(course.last, vectors.space, literal, missing)
                missing = []
            except FAILURES as error:
                unavailable("vector", error)
                whole = False
        proposed = {(kind, own) for kind, own, _ in vectors.hits}
        similarities = {
            (one.entity_type, one.entity_id): one.similarity
            for one in compared
            if one.similarity is not None and (one.entity_type, one.entity_id) not in proposed
        }
        if not words.unnamed:
            return Completed(words, similarities, whole)
        names = near | {one.number: (one.entity_type, one.entity_id) for one in compared}
        if missing or vectors.vector is None:
            return Completed(await self._name(words, course), similarities, whole)
        return Completed(replace(words, hits=_hits(words.unnamed, names), unnamed={}), similarities, whole)

    async def _name(self, words: Proposal, course: Course) -> Proposal:
        try:
            async with course.limit():
                hits = await self._words.name(await course.last.connection(), words.unnamed)
        except FAILURES as error:
            await course.last.abandon(error)
            return Proposal(failure=unavailable("lexical", error))
        return replace(words, hits=[(hit.entity_type, hit.entity_id, hit.score) for hit in hits], unnamed={})


def _hits(unnamed: Mapping[int, float], names: Mapping[int, Key]) -> Hits:
    """Return those that exist."""
    return [(*names[number], score) for number, score in unnamed.items() if number in names]
