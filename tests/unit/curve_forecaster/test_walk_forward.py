"""Nothing that lies after a day may change what is forecast from it."""

import numpy as np
import pytest
from folds import Block, split
from learners import Hyper
from walk_forward import BlockForecast, _weights_known, forecast_block, walk_forward

HYPER = Hyper(lightgbm_rounds=10, forest_trees=5)
LEARNERS = ("ridge", "lightgbm", "random_forest")


@pytest.fixture(scope="module")
def reverting():
    """Curves that return quickly to their mean: here learners beat persistence and get weight."""
    random = np.random.default_rng(2)
    levels = np.zeros((200, 1))
    for day in range(1, 200):
        levels[day] = 0.7 * levels[day - 1] + random.standard_normal()
    return 3 + levels * np.linspace(1, 0.5, 13) + 0.02 * random.standard_normal((200, 13))


@pytest.fixture(scope="module")
def blocks(reverting):
    return split(len(reverting), folds=2, longest=5)


def replaced(values, day):
    """Return the curves with everything after a day replaced."""
    changed = values.copy()
    changed[day + 1 :] = 50 + 20 * np.random.default_rng(day).standard_normal(changed[day + 1 :].shape)
    return changed


def mirrored(values, day):
    """Return the curves with every move after a day turned round: what was a good forecast becomes a bad one."""
    changed = values.copy()
    changed[day + 1 :] = 2 * values[day] - values[day + 1 :]
    return changed


class TestWalkForward:
    # The last day before fold 1, its first days, the middle, the last day before fold 2, and its first.
    @pytest.mark.parametrize("day", [119, 120, 121, 140, 159, 160, 180])
    @pytest.mark.parametrize("disturb", [replaced, mirrored])
    def test_forecasts_do_not_see_what_comes(self, reverting, blocks, recipe, day, disturb):
        before = walk_forward(reverting, blocks, recipe(*LEARNERS), HYPER)
        after = walk_forward(disturb(reverting, day), blocks, recipe(*LEARNERS), HYPER)
        past = before.origins <= day
        assert past.sum() == day - 119
        assert np.array_equal(before.forecast[past], after.forecast[past])
        assert not np.array_equal(before.forecast[~past], after.forecast[~past])

    def test_learners_get_weight_where_there_is_something_to_learn(self, reverting, blocks, recipe):
        forecast = walk_forward(reverting, blocks, recipe(*LEARNERS), HYPER)
        moved = forecast.forecast - forecast.last[:, None]
        assert all(np.abs(moved[forecast.fold == fold]).max() > 0.1 for fold in (1, 2))
        errors = [np.nanmean((part - forecast.actual) ** 2) for part in (forecast.forecast, forecast.last[:, None])]
        assert errors[0] < 0.9 * errors[1]

    def test_single_learner_is_not_weighed(self, values, recipe):
        forecast = walk_forward(values, split(200, 2, 5), recipe("ridge"), HYPER)
        assert forecast.weights == {"ridge": 1.0}
        assert forecast.origins.tolist() == list(range(120, 200))


class TestForecastBlock:
    def test_longest_horizon_ends_before_the_first_forecast(self, reverting, recipe):
        """The fit for a block equals one on a file that ends on its first day."""
        whole = forecast_block(reverting, Block(1, 120, 160), recipe("ridge"), HYPER)
        ended = forecast_block(reverting[:121], Block(1, 120, 121), recipe("ridge"), HYPER)
        assert np.allclose(whole.changes["ridge"][:1], ended.changes["ridge"], rtol=0, atol=1e-12)
        one_day_less = forecast_block(reverting, Block(1, 119, 160), recipe("ridge"), HYPER)
        assert not np.allclose(whole.changes["ridge"], one_day_less.changes["ridge"][1:], rtol=0, atol=1e-6)

    def test_target_that_was_not_observed_is_not_scored(self, reverting, recipe):
        holes = reverting.copy()
        holes[130, 4] = np.nan
        actual = forecast_block(holes, Block(1, 120, 160), recipe("ridge"), HYPER).actual
        missing = {(origin + 120, horizon, tenor) for origin, horizon, tenor in np.argwhere(np.isnan(actual))}
        assert missing == {(129, 0, 4), (125, 1, 4)}

    def test_days_after_the_last_are_not_scored(self, reverting, recipe):
        actual = forecast_block(reverting, Block(1, 160, 200), recipe("ridge"), HYPER).actual
        assert np.isnan(actual).all(axis=2).sum(axis=0).tolist() == [1, 5]

    def test_tenor_without_enough_history_is_not_scored(self, reverting, recipe):
        late = reverting.copy()
        late[:70, 3] = np.nan  # 50 observations on day 119, 60 are needed
        early, later = (
            forecast_block(late, Block(1, start, start + 20), recipe("ridge"), HYPER) for start in (119, 140)
        )
        assert np.isnan(early.actual[:, :, 3]).all()
        assert not np.isnan(later.actual[:, :, 3]).any()
        assert (early.changes["ridge"][:, :, 3] == 0).all()


class TestWeightsKnown:
    """One block whose forecasts come true one after the other; `a` is right at first and `b` later."""

    @pytest.fixture
    def done(self):
        random = np.random.default_rng(1)
        changes = {name: random.standard_normal((40, 2, 13)) for name in ("ridge", "lightgbm")}
        actual = changes["ridge"].copy()
        origins = np.arange(80, 120)
        target_day = origins[:, None] + np.array([1, 5])
        actual[target_day > 110] = changes["lightgbm"][target_day > 110]
        return [BlockForecast(Block(0, 80, 120), origins, np.zeros((40, 13)), changes, actual)]

    def test_only_what_has_come_true(self, done, recipe):
        assert _weights_known(110, done, recipe("ridge", "lightgbm")) == {"ridge": 1.0, "lightgbm": 0.0}
        assert _weights_known(111, done, recipe("ridge", "lightgbm"))["lightgbm"] > 0

    def test_nothing_has(self, done, recipe):
        assert _weights_known(80, done, recipe("ridge", "lightgbm")) == {"ridge": 0.0, "lightgbm": 0.0}
        assert _weights_known(80, [], recipe("ridge", "lightgbm")) == {"ridge": 0.0, "lightgbm": 0.0}
