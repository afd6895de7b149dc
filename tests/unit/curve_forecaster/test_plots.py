"""Plots, each with the table behind it."""

import numpy as np
import pandas as pd
import pytest
from curves import YIELD
from dataset import make_dataset
from evaluate import evaluate
from folds import split
from learners import Hyper
from model import fit
from plots import draw
from walk_forward import walk_forward

NAMES = {"curves_forecast_against_actual", "rmse_by_tenor_and_horizon", "skill_by_horizon", "feature_importances"}
HYPER = Hyper(lightgbm_rounds=5, forest_trees=3)


@pytest.fixture
def drawn(yields, recipe, tmp_path):
    frame = yields.copy()
    frame.iloc[:70, 3] = np.nan
    dataset = make_dataset(YIELD, frame, source="simulation", path=None, lookback=10, longest=5)
    forecast = walk_forward(dataset.values, split(200, 2, 5), recipe("ridge", "lightgbm", "random_forest"), HYPER)
    fitted = fit(dataset.values, recipe("ridge", "lightgbm", "random_forest"), HYPER)
    draw(tmp_path, dataset, forecast, evaluate(forecast, dataset, 7), fitted)
    return tmp_path, forecast, dataset


class TestDraw:
    def test_each_plot_has_its_table(self, drawn):
        folder, *_ = drawn
        assert {path.name for path in folder.iterdir()} == {
            f"{name}.{kind}" for name in NAMES for kind in ("png", "csv")
        }
        assert all((folder / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in NAMES)

    def test_curves_are_those_that_were_forecast(self, drawn):
        folder, forecast, dataset = drawn
        table = pd.read_csv(folder / "curves_forecast_against_actual.csv")
        assert table["origin"].nunique() == 4
        last = table[table["origin"] == table["origin"].iloc[-1]]
        assert last["day"].iloc[0] == str(dataset.frame.index[-1].date())
        row = int(np.flatnonzero(forecast.origins == 194)[0])
        assert np.allclose(last["forecast"], forecast.forecast[row, -1])
        assert np.allclose(last["actual"], dataset.values[-1])

    def test_tenor_that_was_not_learned_has_no_forecast(self, drawn):
        folder, *_ = drawn
        table = pd.read_csv(folder / "curves_forecast_against_actual.csv")
        first = table[(table["origin"] == table["origin"].iloc[0]) & (table["tenor"] == "4 Mo")]
        assert first["forecast"].isna().all()
        assert first["last_known"].notna().all()

    def test_importances_are_shares(self, drawn):
        folder, *_ = drawn
        shares = pd.read_csv(folder / "feature_importances.csv").groupby("learner")["share"].sum()
        assert set(shares.index) == {"ridge", "lightgbm", "random_forest"}
        assert np.allclose(shares, 1)
