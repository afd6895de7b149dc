"""What is kept of the curves, and what is said of the rest."""

import numpy as np
import pytest
from curves import YIELD
from dataset import load_dataset, make_dataset

from mlplatform.training.failures import BadData


def made(frame, **changes):
    return make_dataset(YIELD, frame, **{"source": "x", "path": None, "lookback": 10, "longest": 5} | changes)


class TestMakeDataset:
    def test_tenor_with_too_few_observations_is_left_out_with_the_reason(self, yields):
        frame = yields.copy()
        frame.loc[frame.index[59:], "4 Mo"] = np.nan
        dataset = made(frame)
        assert "4 Mo" not in dataset.tenors
        assert dataset.left_out == {"4 Mo": "59 observations in 200 days, fewer than 60"}
        assert dataset.describe()["left_out"] == "4 Mo: 59 observations in 200 days, fewer than 60"

    def test_blanks_are_counted_and_kept(self, yields):
        frame = yields.copy()
        frame.iloc[:50, 3] = np.nan
        frame.iloc[120:123, 5] = np.nan
        dataset = made(frame)
        assert dataset.leading_blanks == {"4 Mo": 50}
        assert dataset.holes == {"1 Yr": 3}
        assert dataset.nullable == ("4 Mo", "1 Yr")
        assert np.isnan(dataset.values).sum() == 53

    def test_day_without_any_observation_is_left_out(self, yields):
        frame = yields.copy()
        frame.iloc[100] = np.nan
        dataset = made(frame)
        assert dataset.empty_days == 1
        assert len(dataset.values) == 199
        assert dataset.holes == {}

    def test_too_few_days(self, yields):
        made(yields.iloc[:150])
        with pytest.raises(BadData, match=r"149 days .* need 150"):
            made(yields.iloc[:149])

    def test_digest_is_of_the_content(self, yields):
        changed = yields.copy()
        changed.iloc[7, 2] += 0.01
        assert made(yields.copy()).digest == made(yields, source="y").digest
        assert made(changed).digest != made(yields).digest
        assert made(yields.iloc[:, ::-1]).digest != made(yields).digest


class TestLoadDataset:
    def test_simulation_is_named_with_its_seed(self):
        dataset = load_dataset(YIELD, None, rows=200, seed=3, lookback=10, longest=5)
        assert dataset.source == "simulation (seed 3)"
        assert len(dataset.values) == 200

    def test_last_rows_of_a_file(self, yields, tmp_path):
        path = tmp_path / "curves.csv"
        yields.to_csv(path)
        dataset = load_dataset(YIELD, path, rows=160, seed=3, lookback=10, longest=5)
        assert dataset.source == "curves.csv"
        assert np.array_equal(dataset.values, yields.to_numpy()[-160:])
