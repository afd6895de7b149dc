"""The arrays that are served forecast what the libraries forecast."""

from types import SimpleNamespace

import numpy as np
import pytest
from forecaster import Linear
from learners import (
    Hyper,
    export_boosters,
    export_forest,
    fit_boosters,
    fit_ridge,
    fit_trees,
    importance,
)
from sklearn.linear_model import Ridge

HORIZONS = (1, 5)
HYPER = Hyper(lightgbm_rounds=30, forest_trees=15, forest_leaf=5, forest_depth=6)


@pytest.fixture(scope="module")
def sample():
    random = np.random.default_rng(3)
    features = random.standard_normal((220, 6)).astype(np.float32).astype(np.float64)
    signal = np.sin(2 * features[:, :1]) + features[:, 1:2] * (features[:, 2:3] > 0)
    targets = (signal[:, None] * [[1.0, -0.5, 0.2]] + random.standard_normal((220, 2, 3))).astype(np.float64)
    new = np.vstack([random.standard_normal((100, 6)), features])  # the second half lies on the training points
    return SimpleNamespace(features=features, targets=targets, new=new)


class TestExport:
    def test_forest_equals_scikit_learn(self, sample):
        forest = fit_trees(sample.features, sample.targets, HYPER, 7)
        exported = export_forest(forest).predict(sample.new, np.array(HORIZONS, dtype=float))
        expected = forest.predict(sample.new).reshape(exported.shape)
        assert np.ptp(expected) > 0.5
        assert np.abs(exported - expected).max() < 1e-12

    def test_boosters_equal_lightgbm(self, sample):
        boosters = fit_boosters(sample.features, sample.targets, HORIZONS, HYPER, 7)
        exported = export_boosters(boosters).predict(sample.new, np.array(HORIZONS, dtype=float))
        rows = np.column_stack([np.repeat(sample.new, 2, axis=0), np.tile(HORIZONS, len(sample.new))])
        expected = np.stack([booster.predict(rows) for booster in boosters], axis=1).reshape(exported.shape)
        assert np.ptp(expected) > 0.5
        assert np.abs(exported - expected).max() < 1e-12

    def test_stumps_without_a_split(self, sample):
        """Constant targets leave nothing to split on: each tree is one leaf."""
        boosters = fit_boosters(sample.features, np.full_like(sample.targets, 0.25), HORIZONS, HYPER, 7)
        exported = export_boosters(boosters).predict(sample.new, np.array(HORIZONS, dtype=float))
        assert np.abs(exported - 0.25).max() < 1e-12

    def test_ridge_equals_scikit_learn(self, sample):
        linear = fit_ridge(sample.features, sample.targets, HORIZONS, HYPER, 7)
        ridge = Ridge(alpha=HYPER.ridge_alpha, fit_intercept=False, solver="svd")
        expected = ridge.fit(sample.features, sample.targets.reshape(220, -1)).predict(sample.new)
        exported = linear.predict(sample.new, np.array(HORIZONS, dtype=float))
        assert np.abs(exported.reshape(len(sample.new), -1) - expected).max() < 1e-12

    def test_same_seed_same_trees(self, sample):
        first, second, other = (
            export_forest(fit_trees(sample.features, sample.targets, HYPER, seed)) for seed in (7, 7, 8)
        )
        assert np.array_equal(first.threshold, second.threshold)
        assert not np.array_equal(first.threshold, other.threshold)


class TestImportance:
    def test_ridge_by_absolute_coefficient(self):
        linear = Linear(np.array([[3.0, -3.0], [0.0, 0.0], [1.0, 1.0]]))
        assert importance(linear, 3).tolist() == [0.75, 0.0, 0.25, 0.0]

    def test_trees_by_splits(self, sample):
        boosters = fit_boosters(sample.features, sample.targets, HORIZONS, HYPER, 7)
        splits = sum(booster.feature_importance("split") for booster in boosters)
        assert np.allclose(importance(export_boosters(boosters), 6), splits / splits.sum())
