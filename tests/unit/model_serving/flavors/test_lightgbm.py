"""LightGBM: boosters, and wrappers that are called by their booster."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from services.model_serving.flavors.lightgbm_row import Row
from tests.unit.model_serving.flavors.comparing import COLUMNS, Pair, Sent, pair, tables, training_data

DOUBLES: Mapping[str, Any] = dict.fromkeys(COLUMNS, np.float64)
KINDS = {"a": "double", "b": "float", "c": "long", "d": "integer"}
DTYPES: Mapping[str, Any] = {"a": np.float64, "b": np.float32, "c": np.int64, "d": np.int32}
OPTIONS: Mapping[str, Any] = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
WRAPPED: Mapping[str, Any] = {"n_estimators": 10, "verbosity": -1, "n_jobs": 1}
X, Y = training_data()
TWO, THREE = Y > 0, pd.cut(Y, 3, labels=["low", "middle", "high"]).astype(str)
MODELS = {
    "booster": lightgbm.train({**OPTIONS, "objective": "l2"}, lightgbm.Dataset(X, Y), 10),
    "three classes": lightgbm.train(
        {**OPTIONS, "objective": "multiclass", "num_class": 3}, lightgbm.Dataset(X, pd.factorize(THREE)[0]), 10
    ),
    "regressor": lightgbm.LGBMRegressor(**WRAPPED).fit(X, Y),
    "two labels": lightgbm.LGBMClassifier(**WRAPPED).fit(X, TWO),
    "three labels": lightgbm.LGBMClassifier(**WRAPPED).fit(X, THREE),
    "early stop": lightgbm.LGBMClassifier(
        **WRAPPED, pred_early_stop=True, pred_early_stop_freq=2, pred_early_stop_margin=0.1
    ).fit(X, TWO),
    "random forest": lightgbm.LGBMRegressor(
        **WRAPPED, boosting_type="rf", subsample=0.6, subsample_freq=1, random_state=0
    ).fit(X, Y),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    folder = tmp_path_factory.mktemp("lightgbm")
    doubles = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]))
    common: dict[str, Any] = {"input_example": X.head(3), "pip_requirements": ["mlflow"]}
    for name, model in MODELS.items():
        mlflow.lightgbm.save_model(
            model, folder / name, signature=doubles, serialization_format="cloudpickle", **common
        )
    mixed = ModelSignature(Schema([ColSpec(kind, name) for name, kind in KINDS.items()]))
    common["input_example"] = X.head(3).astype(DTYPES)
    mlflow.lightgbm.save_model(MODELS["booster"], folder / "mixed", signature=mixed, **common)
    mlflow.sklearn.save_model(
        MODELS["three labels"],
        folder / "chances",
        signature=doubles,
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
        **{**common, "input_example": X.head(3)},
    )
    return {name: pair(folder / name, serving_allow_pickle=("model",)) for name in [*MODELS, "mixed", "chances"]}


class TestRow:
    @pytest.mark.parametrize("name", ["booster", "three classes"])
    def test_is_what_the_booster_says_to_the_bit(self, name: str) -> None:
        booster = MODELS[name]
        row = Row(booster)
        for number in range(len(X)):
            one = X.to_numpy()[number : number + 1].astype(np.float64)
            assert np.array_equal(row.predict(one), booster.predict(one), equal_nan=True)
        unknown = np.full((1, len(COLUMNS)), np.nan)
        assert np.array_equal(row.predict(unknown), booster.predict(unknown))

    def test_is_for_boosters_whose_trees_all_count(self) -> None:
        booster = lightgbm.train({**OPTIONS, "objective": "l2"}, lightgbm.Dataset(X, Y), 10)
        assert Row.suitable(booster)
        booster.best_iteration = 10
        assert Row.suitable(booster)
        booster.best_iteration = 3
        assert not Row.suitable(booster)

    @pytest.mark.parametrize(
        "inputs",
        [
            np.zeros((2, len(COLUMNS))),
            np.zeros((1, len(COLUMNS) + 1)),
            np.zeros((1, len(COLUMNS)), np.float32),
            np.zeros((1, 2 * len(COLUMNS)))[:, ::2],
            X.head(1),
        ],
    )
    def test_leaves_everything_else_to_the_booster(self, inputs: Any) -> None:
        assert Row(MODELS["booster"]).predict(inputs) is None

    def test_threads_do_not_mix_rows(self) -> None:
        booster, rows = MODELS["booster"], X.to_numpy().astype(np.float64)
        row, expected = Row(booster), booster.predict(rows)

        def ask(number: int) -> bool:
            found = row.predict(rows[number : number + 1])
            return found is None or found[0] == expected[number]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, list(range(len(rows))) * 20))


class TestEquality:
    @pytest.mark.parametrize("name", [*MODELS, "mixed", "chances"])
    def test_random_rows_are_answered_as_by_mlflow(self, pairs: Mapping[str, Pair], name: str) -> None:
        @settings(max_examples=25, deadline=None)
        @given(sent=tables(DTYPES if name == "mixed" else DOUBLES))
        def check(sent: Sent) -> None:
            pairs[name].check(sent.body, sent.frame)

        check()

    @pytest.mark.parametrize("name", [*MODELS, "mixed", "chances"])
    @given(data=st.data())
    @settings(max_examples=10, deadline=None)
    def test_rows_are_answered_together_as_alone(
        self, pairs: Mapping[str, Pair], name: str, data: st.DataObject
    ) -> None:
        assert pairs[name].served.row_wise
        pairs[name].check_rows(data.draw(tables(DTYPES if name == "mixed" else DOUBLES)).body)


class TestPath:
    @pytest.mark.parametrize("name", [*MODELS, "mixed", "chances"])
    def test_the_booster_is_called(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert pairs[name].served.report.path_reason.startswith("Booster.predict equals MLflow to the last bit")

    def test_an_objective_in_python_is_left_to_the_wrapper(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("objective") / "m"
        model = lightgbm.LGBMRegressor(**WRAPPED, objective=squared).fit(X, Y)
        mlflow.lightgbm.save_model(
            model,
            folder,
            serialization_format="cloudpickle",
            signature=ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS])),
            input_example=X.head(3),
            pip_requirements=["mlflow"],
        )
        report = pair(folder, serving_allow_pickle=("model",)).served.report
        assert (report.path, "Wrapper" in report.path_reason) == ("native", True)


def squared(truth: Any, guess: Any) -> Any:
    return guess - truth, np.ones_like(truth)
