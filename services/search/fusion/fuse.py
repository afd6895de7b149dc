"""Fusion of the candidates of two legs.

Convex: `w · v + (1 - w) · l`. `l` is BM25 divided by that of its best candidate. `v` is the cosine similarity scaled
from the least to the most similar candidate of either leg: those that only words proposed show how similar the vectors
of unrelated texts are, which differs between models and queries. One that has no score gets 0. Bruch, Gai and Ingber,
"An analysis of fusion functions for hybrid retrieval", ACM TOIS 42(1), 2023: better than ranks. Both scores count for a
candidate of either leg, so that few candidates rank as well as many.

RRF: `w · 2 / (60 + rank) + (1 - w) · 2 / (60 + rank)`, which for equal weights is reciprocal rank fusion. Cormack,
Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from services.search.fusion.fused import Fused
from services.search.items import Key

Method = Literal["convex", "rrf"]
Hits = Sequence[tuple[str, str, float]]
"""Entity type, entity id and score, the best first."""

RANK_CONSTANT = 60


class Scale(NamedTuple):
    """Similarities that have the shares 0 and 1."""

    least: float
    most: float

    def share(self, similarity: float) -> float:
        """Return the share of a similarity; where all are equal, they are the best ones."""
        spread = self.most - self.least
        return (similarity - self.least) / spread if spread > 0 else 1.0


def scale_of(vector: Hits, similarities: Mapping[Key, float]) -> Scale:
    """Return how the similarities of a query's candidates are scaled.

    Args:
        vector: Proposed by vectors.
        similarities: Of those that only words proposed.
    """
    found = [score for *_, score in vector] + list(similarities.values())
    return Scale(min(found, default=0.0), max(found, default=0.0))


def weight_of(vector: Hits, lexical: Hits, weight: float) -> float:
    """Return the weight of the vectors; when a leg proposes nothing, the other has all of it."""
    if bool(vector) == bool(lexical):
        return weight
    return 1.0 if vector else 0.0


def fuse(
    vector: Hits,
    lexical: Hits,
    similarities: Mapping[Key, float] | None = None,
    *,
    method: Method,
    weight: float,
    limit: int | None = None,
    others: Mapping[Key, float] | None = None,
) -> list[Fused]:
    """Make one ranking of the candidates of both legs.

    Args:
        vector: By cosine similarity.
        lexical: By BM25.
        similarities: Cosine similarities of those that only words proposed, as far as they are known.
        method: How.
        weight: Of the vectors, from 0 to 1, as far as both legs propose something.
        limit: Most candidates; None for all.
        others: BM25 of those that only vectors proposed, as far as they have words of the query.

    Returns:
        The candidates, the best first, equals by their keys.
    """
    weight = weight_of(vector, lexical, weight)
    similarities = similarities or {}
    vectors, words = _ranked(vector), _ranked(lexical)
    others = (others or {}) if lexical else {}
    if method == "convex":
        scale = scale_of(vector, similarities)
        known = {**similarities, **{key: score for key, (score, _) in vectors.items()}}
        similar = {key: scale.share(score) for key, score in known.items()}
        of_words = Scale(0.0, lexical[0][2] if lexical else 0.0)
        known_words = {**others, **{key: score for key, (score, _) in words.items()}}
        worded = {key: of_words.share(score) for key, score in known_words.items()}
    else:
        similar, worded = _reciprocal(vectors), _reciprocal(words)
    fused = []
    for key in vectors | words:
        share, other = similar.get(key, 0.0), worded.get(key, 0.0)
        score, rank = vectors.get(key, (similarities.get(key), None))
        total = weight * share + (1 - weight) * other
        fused.append(Fused(key, total, share, other, score, rank, *words.get(key, (others.get(key), None))))
    fused.sort(key=lambda candidate: (-candidate.score, candidate.key))
    return fused if limit is None else fused[:limit]


def extend(hits: Hits, *, method: Method, weight: float, scale: Scale, rank: int, most: float) -> list[Fused]:
    """Rank items beyond the candidates, which words did not propose, as `fuse` would.

    Args:
        hits: By cosine similarity.
        method: How.
        weight: Of the vectors.
        scale: Of the candidates; what is less similar than all of them has no share.
        rank: Of the first of these items.
        most: Score of the last candidate.
    """
    return [
        Fused(key, min(weight * share, most), share, 0.0, score, place)
        for key, score, share, place in _shared(hits, method, scale, rank)
    ]


def extend_words(hits: Hits, *, method: Method, weight: float, best: float, rank: int, most: float) -> list[Fused]:
    """Rank items beyond the candidates, which have no vector, as `fuse` would.

    Args:
        hits: By BM25.
        method: How.
        weight: Of the vectors; words have the rest.
        best: BM25 of the best candidate.
        rank: Of the first of these items.
        most: Score of the last candidate.
    """
    return [
        Fused(key, min((1 - weight) * share, most), 0.0, share, lexical_score=score, lexical_rank=place)
        for key, score, share, place in _shared(hits, method, Scale(0.0, best), rank)
    ]


def _shared(hits: Hits, method: Method, scale: Scale, rank: int) -> Iterator[tuple[Key, float, float, int]]:
    """Yield key, score, share and rank of hits that follow each other."""
    for place, (entity_type, entity_id, score) in enumerate(hits, rank):
        share = max(0.0, scale.share(score)) if method == "convex" else 2 / (RANK_CONSTANT + place)
        yield (entity_type, entity_id), score, share, place


def _ranked(hits: Hits) -> dict[Key, tuple[float, int]]:
    return {(entity_type, entity_id): (score, rank) for rank, (entity_type, entity_id, score) in enumerate(hits, 1)}


def _reciprocal(ranked: Mapping[Key, tuple[float, int]]) -> dict[Key, float]:
    return {key: 2 / (RANK_CONSTANT + rank) for key, (_, rank) in ranked.items()}
