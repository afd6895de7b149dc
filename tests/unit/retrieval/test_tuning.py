import random

import pytest

from mlplatform.retrieval.shares import WEIGHTS, Share, ndcg_by_weight, rank
from mlplatform.retrieval.tuning import TooFewQueriesError, curve, fit

WORDS_ARE_RIGHT = [Share("wrong", 1.0, 0.0), Share("right", 0.0, 1.0)]
VECTORS_ARE_RIGHT = [Share("right", 1.0, 0.0), Share("wrong", 0.0, 1.0)]


def queries(shares, count):
    return [ndcg_by_weight(shares, {"right"}) for _ in range(count)]


class TestRank:
    def test_follows_the_weight(self):
        assert rank(WORDS_ARE_RIGHT, 0.4) == ["right", "wrong"]
        assert rank(WORDS_ARE_RIGHT, 0.6) == ["wrong", "right"]

    def test_equals_are_ordered_by_key(self):
        assert rank([Share("b", 1, 0), Share("a", 0, 1)], 0.5) == ["a", "b"]


class TestFit:
    def test_moves_to_words_where_words_are_right(self):
        found = fit(queries(WORDS_ARE_RIGHT, 30), 0.6)

        assert found.weight < 0.5
        assert found.ndcg == 1.0
        assert found.is_gain

    def test_stays_where_nothing_is_gained(self):
        found = fit(queries(VECTORS_ARE_RIGHT, 30), 0.6)

        assert (found.weight, found.gain_held_out, found.is_gain) == (0.6, 0.0, False)

    def test_noise_is_seldom_taken_for_a_gain(self):
        chance = random.Random(3)  # noqa: S311 - draws noise
        noise = [[[chance.random() for _ in WEIGHTS] for _ in range(30)] for _ in range(50)]

        assert sum(fit(rows, 0.6).is_gain for rows in noise) <= 15

    def test_a_lone_peak_does_not_win_over_a_plateau(self):
        row = [0.0] * len(WEIGHTS)
        row[2] = 1.0
        row[12:15] = [0.9, 0.9, 0.9]

        assert fit([row] * 30, 0.6).weight == WEIGHTS[13]

    def test_too_few_queries_are_refused(self):
        with pytest.raises(TooFewQueriesError, match="19"):
            fit(queries(WORDS_ARE_RIGHT, 19), 0.6)

    def test_the_curve_is_the_mean_of_the_queries(self):
        assert curve([[0.0] * 21, [1.0] * 21]) == [0.5] * 21
