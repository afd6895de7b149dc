"""Weights of an ensemble."""

import numpy as np
import pytest
from scipy.optimize import minimize
from weights import learn_weights, with_persistence


@pytest.fixture
def changes():
    random = np.random.default_rng(5)
    return {name: random.standard_normal((60, 2, 3)) for name in ("a", "b", "c")}


class TestLearnWeights:
    def test_mixture_is_found(self, changes):
        actual = 0.5 * changes["a"] + 0.2 * changes["c"]
        assert learn_weights(changes, actual) == {"a": 0.5, "b": 0.0, "c": 0.2}

    def test_weights_are_shares(self, changes):
        assert learn_weights(changes, 3 * changes["b"]) == {"a": 0.0, "b": 1.0, "c": 0.0}

    def test_learner_that_is_always_wrong_gets_nothing(self, changes):
        assert set(learn_weights({"a": changes["a"]}, -changes["a"]).values()) == {0.0}

    def test_only_what_was_observed_counts(self, changes):
        actual = changes["a"].copy()
        actual[30:] = np.nan
        changes["a"][30:] = 100.0
        assert learn_weights(changes, actual) == {"a": 1.0, "b": 0.0, "c": 0.0}

    def test_nothing_has_come_true(self, changes):
        assert set(learn_weights(changes, np.full((60, 2, 3), np.nan)).values()) == {0.0}

    @pytest.mark.parametrize("seed", range(8))
    def test_optimum_of_a_general_solver(self, seed):
        random = np.random.default_rng(seed)
        base = random.standard_normal(80)
        parts = {name: base + random.standard_normal(80) for name in "abc"}
        actual = random.uniform(-0.5, 2.0) * base + random.standard_normal(80)
        stacked = np.stack(list(parts.values()), axis=1)

        def loss(weights):
            return float(np.sum((actual - stacked @ weights) ** 2))

        limits = {"type": "ineq", "fun": lambda weights: 1 - weights.sum()}
        solved = minimize(loss, [0.2] * 3, bounds=[(0, 1)] * 3, constraints=limits, options={"ftol": 1e-12})
        assert loss(np.array(list(learn_weights(parts, actual).values()))) <= loss(solved.x) + 1e-4


class TestWithPersistence:
    def test_gets_the_rest(self):
        assert with_persistence({"ridge": 0.25}) == {"ridge": 0.25, "persistence": 0.75}
