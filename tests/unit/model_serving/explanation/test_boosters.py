"""LightGBM's and XGBoost's models."""

from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

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
from tests.unit.model_serving.explanation.games import explain_trees, of_lightgbm

QUIET = {"verbosity": -1, "num_threads": 1, "num_leaves": 7, "seed": 1}
CODES = np.unique(CLASSES, return_inverse=True)[1]
YES = (TWO_CLASSES == "yes").astype(int)
ESTIMATOR = {"n_estimators": 5, "num_leaves": 7, "verbosity": -1, "n_jobs": 1}


def trained(target: Any, **parameters: Any) -> lightgbm.Booster:
    booster = lightgbm.train({**QUIET, **parameters}, lightgbm.Dataset(NUMBERS, target), 6)
    return lightgbm.Booster(model_str=booster.model_to_string())  # as it is after it was stored


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


class TestLightGbm:
    def test_by_definition(self) -> None:
        booster = trained(TARGET, objective="regression")
        trees = [of_lightgbm(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]
        base, contributions = explain_trees(trees, ROWS, columns=4)
        explanation = explain(booster)
        np.testing.assert_allclose(explanation.contributions, contributions, atol=1e-9)
        np.testing.assert_allclose(explanation.base_values, base, atol=1e-9)
        assert (explanation.unit, explanation.background, explanation.outputs) == ("prediction", "training", None)

    @pytest.mark.parametrize(
        ("parameters", "target", "unit", "link"),
        [
            ({"objective": "quantile", "alpha": 0.3}, TARGET, "prediction", lambda raw: raw),
            ({"objective": "regression", "boosting": "dart"}, TARGET, "prediction", lambda raw: raw),
            ({"objective": "tweedie"}, np.exp(TARGET), "log", np.exp),
            ({"objective": "binary"}, YES, "log_odds", sigmoid),
            ({"objective": "binary", "sigmoid": 2}, YES, "margin", lambda raw: sigmoid(2 * raw)),
            ({"objective": "cross_entropy"}, YES * 0.8, "log_odds", sigmoid),
            ({"objective": "regression", "reg_sqrt": True}, TARGET, "margin", lambda raw: np.sign(raw) * raw**2),
            (
                {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
                TARGET,
                "prediction",
                lambda raw: raw,
            ),
        ],
    )
    def test_what_contributions_add_up_to(self, parameters: Any, target: Any, unit: str, link: Any) -> None:
        booster = trained(target, **parameters)
        explanation = explain(booster, NUMBERS)
        np.testing.assert_allclose(link(total(explanation)[:, 0]), booster.predict(NUMBERS), atol=1e-12)
        assert explanation.unit == unit
        classifies = parameters["objective"] in {"binary", "cross_entropy"}
        assert explanation.outputs == ([1] if classifies else None)

    def test_three_classes(self) -> None:
        booster = trained(CODES, objective="multiclass", num_class=3)
        explanation = explain(booster)
        np.testing.assert_allclose(total(explanation), booster.predict(ROWS, raw_score=True))
        assert (explanation.unit, explanation.outputs) == ("margin", [0, 1, 2])
        wire: Any = explanation.wire()
        assert wire["contributions"].shape == (len(ROWS), 3, 4)
        np.testing.assert_array_equal(wire["contributions"][1, 2], explanation.contributions[1, :, 2])

    def test_classes_have_their_labels(self) -> None:
        two = lightgbm.LGBMClassifier(**ESTIMATOR).fit(NUMBERS, TWO_CLASSES)
        three = lightgbm.LGBMClassifier(**ESTIMATOR).fit(NUMBERS, CLASSES)
        assert explain(two).outputs == ["yes"]
        assert explain(three).outputs == ["high", "low", "middle"]

    def test_missing_values_and_categories(self) -> None:
        frame = MIXED.assign(b=MIXED["b"].astype("category"), a=NUMBERS["a"].mask(NUMBERS["a"] > 1))
        booster = lightgbm.train(QUIET, lightgbm.Dataset(frame, MIXED_TARGET), 6)
        np.testing.assert_allclose(total(explain(booster, frame))[:, 0], booster.predict(frame))

    def test_a_column_encoded_into_several_features_contributes_their_sum(self) -> None:
        encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["b"]), (StandardScaler(), ["a", "d"]))
        encoder.set_output(transform="pandas")
        model = make_pipeline(encoder, lightgbm.LGBMRegressor(**ESTIMATOR)).fit(MIXED, MIXED_TARGET)
        parts = model[-1].predict(model[:-1].transform(MIXED_ROWS), pred_contrib=True)
        explanation = explain(model, MIXED_ROWS, table=MIXED)
        expected = np.stack([parts[:, 3], parts[:, :3].sum(axis=1), 0 * parts[:, 0], parts[:, 4]], axis=1)
        np.testing.assert_allclose(explanation.contributions[:, :, 0], expected)
        np.testing.assert_allclose(total(explanation)[:, 0], model.predict(MIXED_ROWS))

    def test_leaves_that_are_linear_models(self) -> None:
        with pytest.raises(NotExplainable, match="linear models in its leaves"):
            explain(trained(TARGET, objective="regression", linear_tree=True))

    def test_an_unknown_kind_of_raw_model(self) -> None:
        with pytest.raises(NotExplainable, match="of another kind"):
            explain(object())


class TestXgBoost:
    @pytest.fixture
    def xgboost(self) -> Any:
        return pytest.importorskip("xgboost", reason="XGBoost is optional")

    def test_regression(self, xgboost: Any) -> None:
        model = xgboost.XGBRegressor(n_estimators=5, max_depth=3, n_jobs=1).fit(NUMBERS, TARGET)
        for raw in (model, model.get_booster()):
            explanation = explain(raw, NUMBERS)
            np.testing.assert_allclose(total(explanation)[:, 0], model.predict(NUMBERS), rtol=1e-4, atol=1e-4)
            assert (explanation.unit, explanation.outputs, explanation.columns) == ("prediction", None, list("abcd"))

    def test_two_classes(self, xgboost: Any) -> None:
        model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1).fit(NUMBERS, YES)
        explanation = explain(model)
        np.testing.assert_allclose(sigmoid(total(explanation)[:, 0]), model.predict_proba(ROWS)[:, 1], rtol=1e-4)
        assert (explanation.unit, explanation.outputs) == ("log_odds", [1])

    def test_three_classes(self, xgboost: Any) -> None:
        model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1).fit(NUMBERS, CODES)
        explanation = explain(model)
        raw = model.predict(ROWS, output_margin=True)
        np.testing.assert_allclose(total(explanation), raw, rtol=1e-4, atol=1e-4)
        assert (explanation.unit, explanation.outputs) == ("margin", [0, 1, 2])

    def test_counts_have_a_log_link(self, xgboost: Any) -> None:
        model = xgboost.XGBRegressor(n_estimators=5, objective="count:poisson", n_jobs=1).fit(NUMBERS, np.exp(TARGET))
        explanation = explain(model)
        np.testing.assert_allclose(np.exp(total(explanation)[:, 0]), model.predict(ROWS), rtol=1e-4)
        assert explanation.unit == "log"

    def test_training_that_stopped_early(self, xgboost: Any) -> None:
        model = xgboost.XGBRegressor(n_estimators=200, early_stopping_rounds=3, learning_rate=0.9, n_jobs=1)
        model.fit(NUMBERS[:100], TARGET[:100], eval_set=[(NUMBERS[100:], TARGET[100:])], verbose=False)
        assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
        np.testing.assert_allclose(total(explain(model))[:, 0], model.predict(ROWS), rtol=1e-4, atol=1e-4)

    def test_at_the_end_of_a_pipeline(self, xgboost: Any) -> None:
        model = make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=5, n_jobs=1)).fit(NUMBERS, TARGET)
        np.testing.assert_allclose(total(explain(model))[:, 0], model.predict(ROWS), rtol=1e-4, atol=1e-4)

    def test_linear_boosters_are_refused(self, xgboost: Any) -> None:
        model = xgboost.XGBRegressor(n_estimators=2, booster="gblinear", n_jobs=1).fit(NUMBERS, TARGET)
        with pytest.raises(NotExplainable, match="linear models instead of trees"):
            explain(model)


def test_what_is_left_of_a_row_is_the_base_value() -> None:
    model = LinearRegression().fit(NUMBERS, TARGET)
    explanation = explain(model, ROWS[:1], example=ROWS[:1])
    np.testing.assert_allclose(explanation.contributions, 0, atol=1e-12)
    np.testing.assert_allclose(explanation.base_values, model.predict(ROWS[:1]))
