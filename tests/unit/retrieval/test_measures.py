"""The measures, against figures worked out by hand."""

import math

import pytest

from mlplatform.retrieval import measures


class TestNdcg:
    def test_the_best_ranking_has_one(self):
        assert measures.ndcg(["a", "b", "c"], {"a", "b"}) == 1.0

    def test_a_ranking_without_relevant_documents_has_zero(self):
        assert measures.ndcg(["x", "y"], {"a"}) == 0.0

    def test_later_ranks_count_less(self):
        expected = (1 / math.log2(3)) / (1 / math.log2(2) + 1 / math.log2(3))

        assert measures.ndcg(["x", "a"], {"a", "b"}) == pytest.approx(expected)

    def test_ranks_below_the_depth_do_not_count(self):
        assert measures.ndcg(["x"] * 10 + ["a"], {"a"}) == 0.0

    def test_more_relevant_documents_than_ranks_can_still_reach_one(self):
        assert measures.ndcg(["a", "b"], {"a", "b", "c", "d"}, depth=2) == 1.0


class TestRecall:
    def test_is_the_share_of_the_relevant_documents_that_were_found(self):
        assert measures.recall(["a", "x", "b"], {"a", "b", "c", "d"}, depth=2) == 0.25


class TestReciprocalRank:
    def test_is_one_over_the_rank_of_the_first_relevant_document(self):
        assert measures.reciprocal_rank(["x", "a", "b"], {"a", "b"}) == 0.5

    def test_is_zero_when_none_is_among_the_first(self):
        assert measures.reciprocal_rank(["x"] * 10 + ["a"], {"a"}) == 0.0
