"""The candidates of a query in their order: what pages are cut from, and what is cached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from services.search.fusion import Fused, Scale

Leg = Literal["vector", "lexical"]
Part = Leg | Literal["rerank"]
"""What an answer can do without."""
Strategy = Literal["exact", "plain", "iterative", "exact_after_plain", "exact_after_iterative", "none"]
NO_SCALE = Scale(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best candidates.

    Attributes:
        candidates: The best first.
        strategy: How vectors were searched.
        complete: Whether every item that meets the filters could be considered.
        more: The leg that can rank further items; None when there are none.
        degraded: Parts that failed.
        reason: Why the answer may be less than expected.
        corrected: Unknown word → the one that was looked for instead.
        model: Model that embedded the query; None when vectors were not searched.
        version: Its version.
        weight: Of the vectors.
        scale: Of their similarities.
        reranker: Model and version that re-ranked the first candidates; None when none did.
    """

    candidates: Sequence[Fused]
    strategy: Strategy
    complete: bool
    more: Leg | None
    degraded: Sequence[Part] = ()
    reason: str | None = None
    corrected: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    version: str | None = None
    weight: float = 0.0
    scale: Scale = NO_SCALE
    reranker: str | None = None

    def cut_short(self, reason: str) -> "Ranking":
        """Return the ranking of an answer without what its leg should have ranked beyond the candidates.

        Args:
            reason: Why it could not.
        """
        degraded = [*self.degraded, *([self.more] if self.more and self.more not in self.degraded else [])]
        return replace(self.explained(reason), complete=False, degraded=degraded)

    def explained(self, reason: str) -> "Ranking":
        """Return the ranking with a further reason why the answer may be less than expected."""
        return replace(self, reason=reason if self.reason is None else f"{self.reason} {reason}")

    def to_bytes(self) -> bytes:
        """Return the ranking without what only `explain` shows."""
        return orjson.dumps(
            [
                [_stored(candidate) for candidate in self.candidates],
                self.strategy,
                self.complete,
                self.more,
                self.reason,
                self.corrected,
                self.model,
                self.version,
                self.weight,
                tuple(self.scale),
                self.reranker,
            ]
        )

    @classmethod
    def from_bytes(cls, stored: bytes | str) -> "Ranking":
        """Read what `to_bytes` wrote."""
        (
            candidates,
            strategy,
            complete,
            more,
            reason,
            corrected,
            model,
            version,
            weight,
            scale,
            reranker,
        ) = orjson.loads(stored)
        return cls(
            candidates=[
                Fused((entity_type, entity_id), score, rerank_score=rerank_score)
                for entity_type, entity_id, score, rerank_score in candidates
            ],
            strategy=strategy,
            complete=complete,
            more=more,
            reason=reason,
            corrected=corrected,
            model=model,
            version=version,
            weight=weight,
            scale=Scale(*scale),
            reranker=reranker,
        )


def _stored(candidate: Fused) -> tuple[str, str, float, float | None]:
    rerank_score = None if candidate.rerank_score is None else round(candidate.rerank_score, 9)
    return (*candidate.key, round(candidate.score, 6), rerank_score)
