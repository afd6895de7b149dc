"""What is learned, and what is served of it."""

from dataclasses import replace

import numpy as np
import pytest
from forecaster import CurveModel, factor_scores
from learners import Hyper
from model import fit, with_weights

from mlplatform.training.failures import BadData

HYPER = Hyper(lightgbm_rounds=10, forest_trees=5, ridge_alpha=10.0)
LEARNERS = ("ridge", "lightgbm", "random_forest")


class TestFit:
    def test_no_drift_is_learned(self, recipe):
        """Curves that rise every day by the same amount, with noise that cannot be forecast."""
        random = np.random.default_rng(4)
        rising = 1 + 0.05 * np.arange(1000)[:, None] + 0.01 * random.standard_normal((1000, 13)).cumsum(axis=0)
        model = fit(rising, recipe("ridge"), Hyper())
        changes = model.forecast(rising[-10:][None])[0] - rising[-1]
        assert np.abs(changes).max() < 0.05
        assert (rising[-1] - rising[-6]).min() > 0.1

    def test_late_tenor_is_held(self, values, recipe):
        late = values.copy()
        late[:150, 3] = np.nan
        model = fit(late, recipe("ridge"), HYPER)
        assert not model.loadings[3].any()
        assert model.nullable == ("4 Mo",)
        forecast = model.forecast(late[-10:][None])[0]
        assert (forecast[:, 3] == late[-1, 3]).all()
        assert (forecast[:, 2] != late[-1, 2]).all()

    def test_blank_is_no_observation_of_the_last_value(self, values, recipe):
        """A hole changes a little what is learned; filling it with a wrong value would change it much."""
        holes, filled = values.copy(), values.copy()
        holes[100, 5] = np.nan
        filled[100, 5] += 5
        whole, with_hole, with_fill = (
            fit(part, recipe("ridge"), HYPER).target_spread for part in (values, holes, filled)
        )
        assert np.abs(with_hole / whole - 1).max() < 0.03
        assert np.abs(with_fill / whole - 1).max() > 0.3

    def test_prices_stay_positive(self, recipe, values):
        prices = np.exp(values - 8)
        model = fit(prices, replace(recipe("ridge"), log=True), HYPER)
        assert (model.forecast(prices[-10:][None]) > 0).all()

    def test_nothing_to_learn_from(self, values, recipe):
        with pytest.raises(BadData, match="no column has 60 observations in the first 59 days"):
            fit(values[:59], recipe("ridge"), HYPER)


class TestWithWeights:
    def test_learner_without_weight_is_not_served(self, values, recipe):
        model = with_weights(
            fit(values, recipe(*LEARNERS), HYPER), {"ridge": 0.25, "lightgbm": 0.0, "random_forest": 0.5}
        )
        assert set(model.members) == {"ridge", "random_forest"}
        assert model.weights == {"ridge": 0.25, "random_forest": 0.5}

    def test_persistence_alone(self, values, recipe):
        model = with_weights(fit(values, recipe(*LEARNERS), HYPER), dict.fromkeys(LEARNERS, 0.0))
        assert np.array_equal(model.forecast(values[-10:][None])[0], np.repeat(values[-1:], 2, axis=0))

    def test_weights_scale_the_changes(self, values, recipe):
        fitted = fit(values, recipe("ridge"), HYPER)
        window = values[-10:][None]
        full, half = (with_weights(fitted, {"ridge": weight}).forecast(window) - values[-1] for weight in (1.0, 0.5))
        assert np.allclose(full, 2 * half, atol=1e-12)


class TestSave:
    def test_loaded_model_forecasts_the_same_bits(self, values, recipe, tmp_path):
        model = fit(values, recipe(*LEARNERS), HYPER)
        model.save(tmp_path)
        windows = np.stack([values[day - 10 : day] for day in range(150, 200)])
        assert np.array_equal(CurveModel.load(tmp_path).forecast(windows), model.forecast(windows))
        assert {path.name for path in tmp_path.iterdir()} == {"model.json", "arrays.npz"}


class TestFactorScores:
    def test_unobserved_tenor_is_left_out(self, values, recipe):
        loadings = fit(values, recipe("ridge"), HYPER).loadings
        curve = np.array([0.5, -0.2, 0.1]) @ loadings.T
        curve[[2, 7]] = np.nan
        assert np.allclose(factor_scores(curve, loadings), [0.5, -0.2, 0.1])
