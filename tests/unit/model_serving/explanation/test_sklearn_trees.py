"""Trees of scikit-learn against the definition of Shapley values, and against what the model predicts."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

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
from tests.unit.model_serving.explanation.games import Leaf, Split, explain_trees, of_histogram, of_sklearn

SMALL = {"n_estimators": 3, "max_depth": 4, "random_state": 0}
HOLES = NUMBERS.mask(np.random.default_rng(3).random(NUMBERS.shape) < 0.2)


def agree(explanation: Any, expected: tuple[Any, Any]) -> None:
    base, contributions = expected
    np.testing.assert_allclose(explanation.contributions, contributions, atol=1e-10)
    np.testing.assert_allclose(explanation.base_values, base, atol=1e-10)


def regression_trees(forest: Any) -> list[Split | Leaf]:
    return [of_sklearn(tree.tree_, lambda value: value[:, 0] / len(forest)) for tree in forest]


class TestByDefinition:
    def test_tree(self) -> None:
        model = DecisionTreeRegressor(max_depth=5, random_state=0).fit(NUMBERS, TARGET)
        explanation = explain(model)
        agree(explanation, explain_trees(regression_trees([model]), ROWS, columns=4))
        assert (explanation.unit, explanation.background, explanation.outputs) == ("prediction", "training", None)
        assert explanation.columns == list("abcd")

    def test_weighted_forest(self) -> None:
        weights = np.linspace(0.1, 2, len(NUMBERS))
        model = RandomForestRegressor(**SMALL).fit(NUMBERS, TARGET, sample_weight=weights)
        agree(explain(model), explain_trees(regression_trees(model.estimators_), ROWS, columns=4))

    def test_two_targets(self) -> None:
        model = ExtraTreesRegressor(**SMALL).fit(NUMBERS, np.stack([TARGET, NUMBERS["a"]], axis=1))
        explanation = explain(model)
        agree(explanation, explain_trees(regression_trees(model.estimators_), ROWS, columns=4))
        np.testing.assert_allclose(total(explanation), model.predict(ROWS))

    def test_forest_of_three_classes(self) -> None:
        model = RandomForestClassifier(**SMALL).fit(NUMBERS, CLASSES)
        explanation = explain(model)
        trees = [of_sklearn(tree.tree_, lambda value: value[0] / 3) for tree in model.estimators_]
        agree(explanation, explain_trees(trees, ROWS, columns=4))
        assert (explanation.unit, explanation.outputs) == ("probability", ["high", "low", "middle"])
        np.testing.assert_allclose(total(explanation), model.predict_proba(ROWS), atol=1e-12)

    def test_two_classes_are_explained_by_the_second(self) -> None:
        model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(NUMBERS, TWO_CLASSES)
        explanation = explain(model)
        agree(explanation, explain_trees([of_sklearn(model.tree_, lambda value: value[0, 1:])], ROWS, columns=4))
        assert explanation.outputs == ["yes"]

    def test_missing_values(self) -> None:
        model = RandomForestRegressor(**SMALL).fit(HOLES, TARGET)
        agree(explain(model, HOLES[:5]), explain_trees(regression_trees(model.estimators_), HOLES[:5], columns=4))

    def test_histogram_boosting_with_missing_values(self) -> None:
        model = HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=12).fit(HOLES, TARGET)
        trees = [of_histogram(stage[0], lambda value: [value]) for stage in model._predictors]
        base, contributions = explain_trees(trees, HOLES[:5], columns=4)
        agree(explain(model, HOLES[:5]), (base + model._baseline_prediction[0], contributions))

    def test_histogram_boosting_with_categories(self) -> None:
        model = HistGradientBoostingRegressor(max_iter=3, max_leaf_nodes=12, categorical_features=["b"])
        model.fit(MIXED, MIXED_TARGET)
        encoded = model._preprocess_X(MIXED_ROWS, reset=False)  # b comes first
        trees = [of_histogram(stage[0], lambda value: [value]) for stage in model._predictors]
        expected = explain_trees(trees, encoded, columns=4, source=[1, 0, 2, 3].__getitem__)
        explanation = explain(model, MIXED_ROWS, table=MIXED)
        agree(explanation, (expected[0] + model._baseline_prediction[0], expected[1]))
        assert np.abs(explanation.contributions[:, 1]).min() > 0.1

    def test_a_column_encoded_into_several_features_is_known_or_unknown_as_one(self) -> None:
        encoder = make_column_transformer((OneHotEncoder(), ["b"]), ("passthrough", ["d", "a", "c"]))
        model = make_pipeline(encoder, RandomForestRegressor(**SMALL)).fit(MIXED, MIXED_TARGET)
        expected = explain_trees(
            regression_trees(model[-1].estimators_),
            model[:-1].transform(MIXED_ROWS),
            columns=4,
            source=[1, 1, 1, 3, 0, 2].__getitem__,
        )
        agree(explain(model, MIXED_ROWS, table=MIXED), expected)

    def test_columns_that_come_in_another_order_than_at_the_training(self) -> None:
        encoder = make_column_transformer((StandardScaler(), ["a", "b"]), ("passthrough", ["d"]))
        model = make_pipeline(encoder, RandomForestRegressor(**SMALL)).fit(NUMBERS, TARGET)
        ordered, shuffled = explain(model), explain(model, ROWS[["d", "c", "b", "a"]])
        assert shuffled.columns == ["d", "c", "b", "a"]
        np.testing.assert_allclose(shuffled.contributions[:, ::-1], ordered.contributions)
        assert not ordered.contributions[:, 2].any()


class TestAdditivity:
    @pytest.mark.parametrize(
        ("model", "target", "unit"),
        [
            (GradientBoostingRegressor(n_estimators=20), TARGET, "prediction"),
            (GradientBoostingRegressor(n_estimators=5, loss="huber", init="zero"), TARGET, "prediction"),
            (HistGradientBoostingRegressor(max_iter=20), TARGET, "prediction"),
            (HistGradientBoostingRegressor(max_iter=5, loss="quantile", quantile=0.3), TARGET, "prediction"),
        ],
    )
    def test_regressors(self, model: Any, target: Any, unit: str) -> None:
        explanation = explain(model.fit(NUMBERS, target), NUMBERS)
        np.testing.assert_allclose(total(explanation)[:, 0], model.predict(NUMBERS))
        assert explanation.unit == unit

    @pytest.mark.parametrize("loss", ["poisson", "gamma"])
    def test_log_link(self, loss: str) -> None:
        model = HistGradientBoostingRegressor(max_iter=20, loss=loss).fit(NUMBERS, np.exp(TARGET))
        explanation = explain(model, NUMBERS)
        np.testing.assert_allclose(np.exp(total(explanation)[:, 0]), model.predict(NUMBERS))
        assert explanation.unit == "log"

    @pytest.mark.parametrize(
        "model", [GradientBoostingClassifier(n_estimators=20), HistGradientBoostingClassifier(max_iter=8)]
    )
    def test_two_classes(self, model: Any) -> None:
        explanation = explain(model.fit(NUMBERS, TWO_CLASSES), NUMBERS)
        np.testing.assert_allclose(1 / (1 + np.exp(-total(explanation)[:, 0])), model.predict_proba(NUMBERS)[:, 1])
        assert (explanation.unit, explanation.outputs) == ("log_odds", ["yes"])

    @pytest.mark.parametrize(
        "model", [GradientBoostingClassifier(n_estimators=5), HistGradientBoostingClassifier(max_iter=8)]
    )
    def test_three_classes(self, model: Any) -> None:
        explanation = explain(model.fit(NUMBERS, CLASSES), NUMBERS)
        np.testing.assert_allclose(total(explanation), model.decision_function(NUMBERS), atol=1e-9)
        assert (explanation.unit, explanation.outputs) == ("margin", ["high", "low", "middle"])

    def test_exponential_loss_is_no_logarithm_of_odds(self) -> None:
        model = GradientBoostingClassifier(n_estimators=5, loss="exponential").fit(NUMBERS, TWO_CLASSES)
        assert explain(model).unit == "margin"

    def test_the_best_of_a_search(self) -> None:
        search = GridSearchCV(DecisionTreeRegressor(random_state=0), {"max_depth": [2, 3]}, cv=2).fit(NUMBERS, TARGET)
        np.testing.assert_allclose(total(explain(search))[:, 0], search.predict(ROWS))

    def test_trees_without_a_split(self) -> None:
        model = RandomForestRegressor(**SMALL).fit(NUMBERS, np.full(len(NUMBERS), 3.0))
        explanation = explain(model)
        assert not explanation.contributions.any()
        np.testing.assert_allclose(explanation.base_values, 3)

    def test_deep_trees_in_more_than_one_piece(self) -> None:
        frame = pd.DataFrame(np.random.default_rng(5).normal(size=(3000, 30)))
        model = RandomForestRegressor(15, random_state=0).fit(frame.to_numpy(), frame.sum(axis=1))
        rows = frame[:20].to_numpy()
        np.testing.assert_allclose(total(explain(model, rows))[:, 0], model.predict(rows))

    @settings(max_examples=12, deadline=None)
    @given(arrays(np.float64, (7, 4), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
    def test_any_rows(self, rows: Any) -> None:
        frame = pd.DataFrame(rows, columns=list("abcd"))
        for model in ANY_ROWS:
            explanation = explain(model, frame)
            np.testing.assert_allclose(total(explanation)[:, 0], model.predict(frame), rtol=1e-9, atol=1e-9)


class TestRefusal:
    def test_boosting_from_another_model(self) -> None:
        model = GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(NUMBERS, TARGET)
        with pytest.raises(NotExplainable, match="another model's predictions"):
            explain(model)

    def test_several_classes_at_once(self) -> None:
        model = DecisionTreeClassifier().fit(NUMBERS, np.stack([CLASSES, TWO_CLASSES], axis=1))
        with pytest.raises(NotExplainable, match="several classes"):
            explain(model)


ANY_ROWS = (
    RandomForestRegressor(**SMALL).fit(HOLES, TARGET),
    HistGradientBoostingRegressor(max_iter=10).fit(HOLES, TARGET),
    make_pipeline(StandardScaler(), HistGradientBoostingRegressor(max_iter=10)).fit(HOLES, TARGET),
)
