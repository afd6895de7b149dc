"""Fusion, against figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.fusion import extend, extend_words, fuse, scale_of, weight_of

VECTOR = [("doc", "a", 0.9), ("doc", "b", 0.5), ("doc", "c", 0.1)]
LEXICAL = [("doc", "b", 8.0), ("doc", "d", 4.0)]


@st.composite
def legs(draw, least):
    """The hits of a leg whose scores are no less than this, in hundredths: halfvec and BM25 tell no more apart."""
    ids = draw(st.lists(st.text(min_size=1, max_size=3), unique=True, max_size=8))
    scores = sorted((draw(st.integers(100 * least, 5000)) / 100 for _ in ids), reverse=True)
    return [("doc", key, score) for key, score in zip(ids, scores, strict=True)]


def ids(fused):
    return [candidate.key[1] for candidate in fused]


class TestConvex:
    def test_adds_the_weighted_scaled_scores(self):
        fused = {c.key[1]: c for c in fuse(VECTOR, LEXICAL, method="convex", weight=0.6)}

        assert fused["a"].score == pytest.approx(0.6)
        assert fused["b"].score == pytest.approx(0.6 * 0.5 + 0.4)
        assert fused["c"].score == pytest.approx(0)
        assert fused["d"].score == pytest.approx(0.4 * 0.5)

    def test_keeps_what_each_leg_said(self):
        best = fuse(VECTOR, LEXICAL, method="convex", weight=0.6)[0]

        assert best.key == ("doc", "b")
        assert (best.vector_score, best.vector_rank, best.lexical_score, best.lexical_rank) == (0.5, 2, 8.0, 1)
        assert (best.vector_share, best.lexical_share) == (pytest.approx(0.5), 1.0)

    def test_a_leg_without_proposals_leaves_the_other_all_the_weight(self):
        assert [c.score for c in fuse([], LEXICAL, method="convex", weight=0.9)] == [1.0, 0.5]
        assert fuse(VECTOR, [], method="convex", weight=0.1)[0].score == 1.0

    def test_candidates_of_equal_scores_are_all_the_best(self):
        fused = fuse([("doc", "b", 0.3), ("doc", "a", 0.3)], [], method="convex", weight=0.6)

        assert [(c.key[1], c.score) for c in fused] == [("a", 1.0), ("b", 1.0)]

    def test_similarities_below_zero_keep_their_order(self):
        fused = fuse([("doc", "a", -0.1), ("doc", "b", -0.3)], LEXICAL, method="convex", weight=1.0)

        assert [c.key[1] for c in fused if c.vector_score is not None] == ["a", "b"]

    def test_similarities_of_what_only_words_proposed_set_the_scale(self):
        fused = {c.key[1]: c for c in fuse(VECTOR, LEXICAL, {("doc", "d"): -0.1}, method="convex", weight=0.6)}

        assert fused["c"].vector_share == pytest.approx(0.2)
        assert (fused["d"].vector_score, fused["d"].vector_rank, fused["d"].vector_share) == (-0.1, None, 0.0)

    def test_words_of_what_only_vectors_proposed_count_too(self):
        known = {("doc", "a"): 2.0}
        fused = {c.key[1]: c for c in fuse(VECTOR, LEXICAL, method="convex", weight=0.6, others=known)}

        assert fused["a"].score == pytest.approx(0.6 + 0.4 * 0.25)
        assert (fused["a"].lexical_score, fused["a"].lexical_rank, fused["a"].lexical_share) == (2.0, None, 0.25)
        assert fused["c"].lexical_score is None

    def test_words_count_for_nothing_where_they_proposed_nothing(self):
        fused = fuse(VECTOR, [], method="convex", weight=0.6, others={("doc", "c"): 2.0})

        assert [candidate.lexical_share for candidate in fused] == [0.0, 0.0, 0.0]

    def test_they_count_for_their_items(self):
        fused = {c.key[1]: c for c in fuse(VECTOR, LEXICAL, {("doc", "d"): 0.3}, method="convex", weight=0.6)}

        assert fused["d"].score == pytest.approx(0.6 * 0.25 + 0.4 * 0.5)

    def test_nothing_gives_nothing(self):
        assert fuse([], [], method="convex", weight=0.6) == []


class TestRrf:
    def test_with_equal_weights_is_reciprocal_rank_fusion(self):
        fused = {c.key[1]: c.score for c in fuse(VECTOR, LEXICAL, method="rrf", weight=0.5)}

        assert fused == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 1 / 61, "c": 1 / 63, "d": 1 / 62})


class TestExtend:
    @pytest.mark.parametrize("method", ["convex", "rrf"])
    def test_goes_on_where_the_candidates_end(self, method):
        whole = fuse(VECTOR, LEXICAL[:1], method=method, weight=0.6)
        first = fuse(VECTOR[:2], LEXICAL[:1], method=method, weight=0.6)

        scale = scale_of(VECTOR, {})
        (beyond,) = extend(VECTOR[2:], method=method, weight=0.6, scale=scale, rank=3, most=first[-1].score)

        assert beyond == whole[-1]

    @pytest.mark.parametrize("method", ["convex", "rrf"])
    def test_goes_on_with_words_where_no_item_beyond_has_a_vector(self, method):
        whole = fuse(VECTOR[:1], LEXICAL, method=method, weight=0.6)
        first = fuse(VECTOR[:1], LEXICAL[:1], method=method, weight=0.6)

        (beyond,) = extend_words(LEXICAL[1:], method=method, weight=0.6, best=8.0, rank=2, most=first[-1].score)

        assert beyond == whole[-1]

    def test_with_the_weight_that_one_leg_alone_has(self):
        whole = fuse(VECTOR, [], method="convex", weight=0.6)

        weight = weight_of(VECTOR, [], 0.6)
        (beyond,) = extend(VECTOR[1:2], method="convex", weight=weight, scale=scale_of(VECTOR, {}), rank=2, most=1.0)

        assert beyond == whole[1]

    def test_what_is_less_similar_than_all_candidates_has_no_share(self):
        (beyond,) = extend(
            [("doc", "e", -0.4)], method="convex", weight=0.6, scale=scale_of(VECTOR, {}), rank=4, most=1
        )

        assert (beyond.score, beyond.vector_share, beyond.vector_score) == (0.0, 0.0, -0.4)


class TestAny:
    @given(legs(-1), legs(0), st.sampled_from(["convex", "rrf"]), st.floats(0, 1))
    def test_ranks_every_candidate_once_and_by_score(self, vector, lexical, method, weight):
        fused = fuse(vector, lexical, method=method, weight=weight)

        assert {c.key for c in fused} == {(kind, key) for kind, key, _ in [*vector, *lexical]}
        assert len({c.key for c in fused}) == len(fused)
        assert [c.score for c in fused] == sorted((c.score for c in fused), reverse=True)
        assert all(c.score <= 1 + 1e-9 for c in fused)

    @given(legs(-1), legs(0))
    def test_the_whole_weight_keeps_the_order_of_one_leg(self, vector, lexical):
        if not vector:
            return
        proposed = {(kind, key) for kind, key, _ in vector}
        order = [c.vector_score for c in fuse(vector, lexical, method="convex", weight=1.0) if c.key in proposed]

        assert order == sorted(order, reverse=True)

    def test_the_limit_keeps_the_best(self):
        assert ids(fuse(VECTOR, LEXICAL, method="convex", weight=0.6, limit=2)) == ["b", "a"]
