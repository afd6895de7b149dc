"""What the served forecaster accepts."""

import numpy as np
import pandas as pd
import pytest
from forecaster import read_history
from learners import Hyper
from model import fit


@pytest.fixture(scope="module")
def model(values, recipe):
    late = values.copy()
    late[:50, 3] = np.nan
    return fit(late, recipe("ridge"), Hyper())


@pytest.fixture
def history(values, dataset):
    return pd.DataFrame(values[-10:], columns=list(dataset.tenors))


class TestReadHistory:
    def test_columns_in_any_order(self, model, history, values):
        assert np.array_equal(read_history(model, history.iloc[:, ::-1]), values[-10:])

    def test_blank_where_training_had_blanks(self, model, history):
        history.loc[4, "4 Mo"] = None
        assert np.isnan(read_history(model, history)[4, 3])

    @pytest.mark.parametrize(
        ("cell", "said"),
        [
            (None, "row 5, column '2 Yr': the value is blank, and training saw no blanks"),
            (np.inf, "row 5, column '2 Yr': the value is infinite"),
            ("much", "holds a value that is not a number"),
        ],
        ids=["blank", "infinite", "text"],
    )
    def test_refused_cell(self, model, history, cell, said):
        history = history.astype(object)
        history.loc[4, "2 Yr"] = cell
        with pytest.raises(ValueError, match=said):
            read_history(model, history)

    def test_missing_column(self, model, history):
        with pytest.raises(ValueError, match="lacks the columns 2 Yr, 30 Yr"):
            read_history(model, history.drop(columns=["2 Yr", "30 Yr"]))

    def test_number_of_rows(self, model, history):
        with pytest.raises(ValueError, match=r"expected 10 rows .* got 9"):
            read_history(model, history.iloc[1:])
