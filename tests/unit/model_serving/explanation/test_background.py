"""A reference profile stands for the training data that it was made of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from mlplatform.monitoring.profile import make_profile
from tests.unit.model_serving.explanation.data import CLASSES, MIXED, NUMBERS, ROWS, TARGET, explain

RARE = np.random.default_rng(4)
TRAINING = MIXED.assign(
    a=NUMBERS["a"].mask(NUMBERS["a"] > 1),
    few=RARE.integers(0, 4, size=200),
    many=RARE.integers(0, 1000, size=200),
    flag=RARE.random(200) < 0.3,
)


def pipeline() -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(), ["b", "few"]),
        (SimpleImputer(add_indicator=True), ["a"]),
        (SplineTransformer(), ["c", "many"]),
        remainder="passthrough",
    )
    return make_pipeline(columns, LogisticRegression(max_iter=5000))


class TestProfile:
    def test_explains_as_the_training_data_would(self) -> None:
        model = pipeline().fit(TRAINING, CLASSES)
        rows = TRAINING[:5]
        by_profile = explain(model, rows, table=TRAINING, example=rows[:1], profile=make_profile(TRAINING))
        by_data = explain(model, rows, table=TRAINING, example=TRAINING.astype(object).where(TRAINING.notna(), None))
        assert (by_profile.background, by_data.background) == ("reference_profile", "input_example")
        np.testing.assert_allclose(by_profile.contributions, by_data.contributions, atol=0.03)
        np.testing.assert_allclose(by_profile.base_values, by_data.base_values, atol=0.05)

    def test_mean_of_a_skewed_column(self) -> None:
        skewed = pd.DataFrame({name: np.exp(NUMBERS[name]) for name in NUMBERS})
        model = LinearRegression().fit(skewed, TARGET)
        explanation = explain(model, skewed[:5], profile=make_profile(skewed))
        expected = model.coef_ * (skewed[:5] - skewed.mean())
        np.testing.assert_allclose(explanation.contributions[:, :, 0], expected, atol=0.05)


class TestProfileThatDoesNotDo:
    @pytest.mark.parametrize(
        "profile",
        [
            make_profile(NUMBERS, exclude=["c"]),
            make_profile(NUMBERS.assign(c="text")),
            make_profile(NUMBERS.assign(c=[f"text {number}" for number in range(len(NUMBERS))])),
            make_profile(NUMBERS.mask(NUMBERS > 1)),
        ],
        ids=["a column left out", "another type", "lengths of text", "holes that the model refuses"],
    )
    def test_the_example_takes_its_place(self, profile: Any) -> None:
        model = LinearRegression().fit(NUMBERS, TARGET)
        explanation = explain(model, profile=profile)
        assert explanation.background == "input_example"
        np.testing.assert_allclose(explanation.base_values, model.predict(ROWS).mean())
