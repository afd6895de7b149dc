"""Fusion of the candidates of two legs.

Convex: `w · v + (1 - w) · l`, where `v` is the cosine similarity and `l` is BM25, each divided by that of its best
candidate. Both have 0 where there is nothing in common, so the share of a candidate does not depend on how many there
are, as it would if the worst of them had 0. One that a leg did not propose gets 0 there. Bruch, Gai and Ingber, "An
analysis of fusion functions for hybrid retrieval", ACM TOIS 42(1), 2023: better than ranks.

RRF: `w · 2 / (60 + rank) + (1 - w) · 2 / (60 + rank)`, which for equal weights is reciprocal rank fusion. Cormack,
Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from services.search.fusion.fused import Fused
from services.search.items import Key

Method = Literal["convex", "rrf"]
Hits = Sequence[tuple[str, str, float]]
"""Entity type, entity id and score, the best first."""

RANK_CONSTANT = 60


def fuse(vector: Hits, lexical: Hits, *, method: Method, weight: float, limit: int | None = None) -> list[Fused]:
    """Make one ranking of the candidates of both legs.

    Args:
        vector: By cosine similarity.
        lexical: By BM25.
        method: How.
        weight: Of the vectors, from 0 to 1. When a leg proposes nothing, the other has all the weight.
        limit: Most candidates; None for all.

    Returns:
        The candidates, the best first, equals by their keys.
    """
    if not vector or not lexical:
        weight = 1.0 if vector else 0.0
    vectors, words = _ranked(vector), _ranked(lexical)
    if method == "convex":
        similar, worded = _scaled(vector), _scaled(lexical)
    else:
        similar, worded = _reciprocal(vectors), _reciprocal(words)
    fused = []
    for key in vectors | words:
        share, other = similar.get(key, 0.0), worded.get(key, 0.0)
        score = weight * share + (1 - weight) * other
        fused.append(Fused(key, score, share, other, *vectors.get(key, (None, None)), *words.get(key, (None, None))))
    fused.sort(key=lambda candidate: (-candidate.score, candidate.key))
    return fused if limit is None else fused[:limit]


def extend(vector: Hits, *, method: Method, weight: float, best: float, rank: int, most: float) -> list[Fused]:
    """Rank items beyond the candidates, which words did not propose, as `fuse` would.

    Args:
        vector: By cosine similarity.
        method: How.
        weight: Of the vectors.
        best: The highest cosine similarity of all items.
        rank: Of the first of these items.
        most: Score of the last candidate.
    """
    fused = []
    for place, (entity_type, entity_id, score) in enumerate(vector, rank):
        share = _share(score, best) if method == "convex" else 2 / (RANK_CONSTANT + place)
        fused.append(Fused((entity_type, entity_id), min(weight * share, most), share, 0.0, score, place))
    return fused


def _ranked(hits: Hits) -> dict[Key, tuple[float, int]]:
    return {(entity_type, entity_id): (score, rank) for rank, (entity_type, entity_id, score) in enumerate(hits, 1)}


def _scaled(hits: Hits) -> Mapping[Key, float]:
    return {(entity_type, entity_id): _share(score, hits[0][2]) for entity_type, entity_id, score in hits}


def _share(score: float, best: float) -> float:
    """Return a score's share of the best one; where that is no more than 0, its distance from it, below 1."""
    return score / best if best > 0 else 1.0 + score - best


def _reciprocal(ranked: Mapping[Key, tuple[float, int]]) -> Mapping[Key, float]:
    return {key: 2 / (RANK_CONSTANT + rank) for key, (_, rank) in ranked.items()}
