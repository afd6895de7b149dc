"""Linear models, alone and behind transformers, against the definition of Shapley values."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC

from services.model_serving.errors import NotExplainable
from tests.unit.model_serving.explanation.data import (
    CLASSES,
    MIXED,
    MIXED_ROWS,
    MIXED_TARGET,
    NUMBERS,
    ROWS,
    TARGET,
    TWO_CLASSES,
    explain,
    total,
)
from tests.unit.model_serving.explanation.games import explain_score

CHECKED = 2
"""Rows that are worked out by the definition, which takes long."""
BACKGROUND = NUMBERS[20:30]
MIXED_BACKGROUND = MIXED[20:30]
HOLES = MIXED.assign(a=NUMBERS["a"].mask(NUMBERS["a"] > 1))


def agree(explanation: Any, score: Any, background: pd.DataFrame, rows: pd.DataFrame) -> None:
    base, contributions = explain_score(score, background, rows[:CHECKED])
    np.testing.assert_allclose(explanation.contributions[:CHECKED], contributions, atol=1e-9)
    np.testing.assert_allclose(explanation.base_values, base, atol=1e-9)


def tall(values: Any) -> Any:
    return np.asarray(values).reshape(len(values), -1)


class TestByDefinition:
    def test_regression(self) -> None:
        model = LinearRegression().fit(NUMBERS, TARGET)
        explanation = explain(model, example=BACKGROUND)
        agree(explanation, lambda frame: tall(model.predict(frame)), BACKGROUND, ROWS)
        assert (explanation.method, explanation.unit, explanation.background, explanation.outputs) == (
            "linear_shap",
            "prediction",
            "input_example",
            None,
        )

    def test_two_targets(self) -> None:
        model = Ridge().fit(NUMBERS, np.stack([TARGET, NUMBERS["a"]], axis=1))
        agree(explain(model, example=BACKGROUND), model.predict, BACKGROUND, ROWS)

    @pytest.mark.parametrize("target", [TWO_CLASSES, CLASSES])
    @pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC(), SGDClassifier(random_state=0)])
    def test_classification(self, model: Any, target: Any) -> None:
        model.fit(NUMBERS, target)
        explanation = explain(model, example=BACKGROUND)
        agree(explanation, lambda frame: tall(model.decision_function(frame)), BACKGROUND, ROWS)
        binary = target is TWO_CLASSES
        assert explanation.outputs == (["yes"] if binary else ["high", "low", "middle"])
        assert (explanation.unit == "log_odds") == (binary and isinstance(model, LogisticRegression))

    @pytest.mark.parametrize(
        "step",
        [
            StandardScaler(),
            PowerTransformer(),
            KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
            KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
            SplineTransformer(),
            FunctionTransformer(),
            make_union(StandardScaler(), SplineTransformer()),
            "passthrough",
        ],
    )
    def test_behind_a_step_that_keeps_columns_apart(self, step: Any) -> None:
        model = make_pipeline(step, MaxAbsScaler(), Ridge()).fit(NUMBERS, TARGET)
        agree(explain(model, example=BACKGROUND), lambda frame: tall(model.predict(frame)), BACKGROUND, ROWS)

    def test_behind_a_selection(self) -> None:
        model = make_pipeline(SelectKBest(f_regression, k=2), LinearRegression()).fit(NUMBERS, TARGET)
        explanation = explain(model, example=BACKGROUND)
        agree(explanation, lambda frame: tall(model.predict(frame)), BACKGROUND, ROWS)
        assert (np.abs(explanation.contributions[0, :, 0]) > 0).sum() == 2

    @pytest.mark.parametrize(
        "encoder",
        [
            OneHotEncoder(),
            OneHotEncoder(drop="first"),
            OneHotEncoder(min_frequency=70, handle_unknown="infrequent_if_exist"),
        ],
    )
    def test_behind_steps_for_some_columns_each(self, encoder: Any) -> None:
        imputer = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
        columns = ColumnTransformer(
            [("kind", encoder, ["b"]), ("holes", imputer, ["a"]), ("none", "drop", ["c"])], remainder="passthrough"
        )
        model = make_pipeline(columns, LogisticRegression()).fit(HOLES, CLASSES)
        explanation = explain(model, HOLES[:6], example=HOLES[20:30], table=HOLES)
        agree(explanation, model.decision_function, HOLES[20:30], HOLES[:6])
        assert not explanation.contributions[:, 2].any()

    @pytest.mark.parametrize("columns", [[0, 2, 3], slice("c", "d"), slice(2, 4), [True, False, True, True]])
    def test_columns_named_in_any_way(self, columns: Any) -> None:
        step = make_column_transformer((StandardScaler(), columns), ("drop", ["b"]), remainder="passthrough")
        model = make_pipeline(step, LinearRegression()).fit(MIXED, MIXED_TARGET)
        explanation = explain(model, MIXED_ROWS, example=MIXED_BACKGROUND, table=MIXED)
        agree(explanation, lambda frame: tall(model.predict(frame)), MIXED_BACKGROUND, MIXED_ROWS)


class TestAdditivity:
    @pytest.mark.parametrize("model", [PoissonRegressor(), TweedieRegressor(power=1.5)])
    def test_log_link(self, model: Any) -> None:
        model.fit(NUMBERS, np.exp(TARGET / 3))
        explanation = explain(model)
        np.testing.assert_allclose(np.exp(total(explanation)[:, 0]), model.predict(ROWS))
        assert explanation.unit == "log"

    @settings(max_examples=12, deadline=None)
    @given(arrays(np.float64, (5, 4), elements=st.floats(-1e6, 1e6)))
    def test_any_rows(self, rows: Any) -> None:
        frame = pd.DataFrame(rows, columns=list("abcd"))
        model = ANY_ROWS
        raw = model.decision_function(frame)
        np.testing.assert_allclose(total(explain(model, frame)), raw, rtol=1e-9, atol=1e-6)


class TestRefusal:
    @pytest.mark.parametrize("step", [PCA(2), PolynomialFeatures(), FunctionTransformer(np.abs)])
    def test_steps_that_mix_columns(self, step: Any) -> None:
        model = make_pipeline(StandardScaler(), step, LinearRegression()).fit(NUMBERS, TARGET)
        with pytest.raises(NotExplainable, match=type(step).__name__):
            explain(model)

    def test_without_an_example_there_is_nothing_to_compare_with(self) -> None:
        with pytest.raises(NotExplainable, match="neither a reference profile nor an input example"):
            explain(LinearRegression().fit(NUMBERS, TARGET), example=None)

    def test_scores_that_are_no_weighted_sum(self) -> None:
        model = SVC(kernel="linear").fit(NUMBERS, CLASSES)
        with pytest.raises(NotExplainable, match="do not add up"):
            explain(model)

    def test_another_kind(self) -> None:
        model = SVC().fit(NUMBERS, CLASSES)
        with pytest.raises(NotExplainable, match="ends in SVC"):
            explain(model)


ANY_ROWS = make_pipeline(SplineTransformer(), LogisticRegression(max_iter=1000)).fit(NUMBERS, CLASSES)
