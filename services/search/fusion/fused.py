"""A candidate with what each leg said of it."""

from typing import NamedTuple

from services.search.items import Key


class Fused(NamedTuple):
    """A candidate of the fused ranking.

    Attributes:
        key: Entity type and id.
        score: What the ranking is ordered by; the higher the better.
        vector_share: What vectors gave before their weight.
        lexical_share: The same of words.
        vector_score: Cosine similarity; None when it is unknown.
        vector_rank: From 1; None when vectors did not propose it.
        lexical_score: BM25; None when it has none of the words, or it is unknown.
        lexical_rank: From 1; None when words did not propose it.
        rerank_score: What the re-ranker says, from 0 to 1; None for one that it did not read. Those that it read come
            first, ordered by it.
        fused_rank: From 1, before that; None for one that it did not read.
    """

    key: Key
    score: float
    vector_share: float = 0.0
    lexical_share: float = 0.0
    vector_score: float | None = None
    vector_rank: int | None = None
    lexical_score: float | None = None
    lexical_rank: int | None = None
    rerank_score: float | None = None
    fused_rank: int | None = None
