"""scikit-learn: whatever is called in MLflow's place answers as MLflow does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.unit.model_serving.flavors.comparing import COLUMNS, Pair, Sent, pair, tables, training_data

DOUBLES: Mapping[str, Any] = dict.fromkeys(COLUMNS, np.float64)
X, Y = training_data()
TWO, THREE = Y > 0, pd.cut(Y, 3, labels=["low", "middle", "high"]).astype(str)
MODELS = {
    "line": LinearRegression().fit(X, Y),
    "lines": Ridge().fit(X, np.column_stack([Y, -Y])),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, TWO),
    "three classes": make_pipeline(MinMaxScaler(), LogisticRegression()).fit(X, THREE),
    "imputed": make_pipeline(SimpleImputer(), StandardScaler(), SGDClassifier(random_state=0)).fit(X, TWO),
    "vectors": LinearSVC().fit(X, TWO),
    "forest": RandomForestClassifier(12, random_state=0).fit(X, THREE),
    "forest of jobs": RandomForestRegressor(12, random_state=0, n_jobs=2).fit(X, Y),
    "extra trees": ExtraTreesRegressor(12, random_state=0).fit(X, np.column_stack([Y, -Y])),
    "tree": make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)).fit(X, TWO),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, TWO),
    "histograms": HistGradientBoostingRegressor(max_iter=5).fit(X, Y),
    "neighbours": KNeighborsClassifier().fit(X, TWO),
    "vote": VotingRegressor([("a", LinearRegression()), ("b", Ridge())]).fit(X, Y),
    "selected columns": make_pipeline(
        make_column_transformer((StandardScaler(), ["b", "a"]), (SimpleImputer(), ["d"])), LogisticRegression()
    ).fit(X, TWO),
    "polynomial": make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, Y),
    "frames inside": make_pipeline(StandardScaler().set_output(transform="pandas"), LinearRegression()).fit(X, Y),
}
CHANCES = ("logistic", "three classes", "forest", "tree", "boosting")


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    folder = tmp_path_factory.mktemp("sklearn")
    made = {name: save(folder / name, model) for name, model in MODELS.items()}
    for name in CHANCES:
        made[f"chances of {name}"] = save(
            folder / f"chances of {name}", MODELS[name], pyfunc_predict_fn="predict_proba"
        )
    return made


def save(folder: Path, model: BaseEstimator, signature: ModelSignature | None = None, **options: Any) -> Pair:
    doubles = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]))
    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format="cloudpickle",
        signature=signature or doubles,
        input_example=X.head(3),
        pip_requirements=["mlflow"],
        **options,
    )
    return pair(folder, serving_allow_pickle=("model",))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    kinds = {"a": "double", "b": "float", "c": "long", "d": "integer"}
    signature = ModelSignature(Schema([ColSpec(kind, name) for name, kind in kinds.items()]))
    whole = X.astype({"b": np.float32, "c": np.int64, "d": np.int32})
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(whole, Y)
    folder = tmp_path_factory.mktemp("mixed") / "m"
    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format="cloudpickle",
        signature=signature,
        input_example=whole.head(3),
        pip_requirements=["mlflow"],
    )
    return pair(folder, serving_allow_pickle=("model",))


@pytest.fixture(scope="module")
def optional(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    signature = ModelSignature(Schema([ColSpec("double", name, required=name in {"a", "b"}) for name in COLUMNS]))
    model = make_pipeline(SimpleImputer(), LinearRegression()).fit(X, Y)
    return save(tmp_path_factory.mktemp("optional") / "m", model, signature)


class TestEquality:
    @pytest.mark.parametrize("name", [*MODELS, *(f"chances of {name}" for name in CHANCES)])
    def test_random_rows_are_answered_as_by_mlflow(self, pairs: Mapping[str, Pair], name: str) -> None:
        tolerance = 1e-12 if name == "forest of jobs" else 0.0

        @settings(max_examples=25, deadline=None)
        @given(sent=tables(DOUBLES))
        def check(sent: Sent) -> None:
            pairs[name].check(sent.body, sent.frame, tolerance)

        check()

    @pytest.mark.parametrize("name", list(MODELS))
    def test_rows_are_answered_together_as_alone(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert pairs[name].served.row_wise

        @settings(max_examples=10, deadline=None)
        @given(sent=tables(DOUBLES, nulls=False))
        def check(sent: Sent) -> None:
            pairs[name].check_rows(sent.body)

        check()

    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_integers_and_single_precision(self, mixed: Pair, data: st.DataObject) -> None:
        sent = data.draw(tables({"a": np.float64, "b": np.float32, "c": np.int64, "d": np.int32}))
        mixed.check(sent.body, sent.frame)

    @given(data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_optional_columns(self, optional: Pair, data: st.DataObject) -> None:
        sent = data.draw(tables(DOUBLES, optional=("c", "d")))
        optional.check(sent.body, sent.frame)


class TestPath:
    @pytest.mark.parametrize("name", list(MODELS))
    def test_every_model_is_called_past_mlflow(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert pairs[name].served.report.path == "native", pairs[name].served.report.path_reason

    @pytest.mark.parametrize("name", ["line", "logistic", "imputed", "forest", "tree"])
    def test_common_models_are_called_by_their_arithmetic(self, pairs: Mapping[str, Pair], name: str) -> None:
        assert "arithmetic" in pairs[name].served.report.path_reason

    def test_a_model_that_selects_columns_by_name_gets_names(self, pairs: Mapping[str, Pair]) -> None:
        assert "on an array" not in pairs["selected columns"].served.report.path_reason

    def test_the_matrix_of_a_request_stays_as_it_was(self, pairs: Mapping[str, Pair]) -> None:
        model = pairs["imputed"].served
        read = model.signature.inputs.read([[1.0, None, 3.0, 4.0]])
        assert read.matrix is not None
        before = read.matrix.copy()
        model.predict(read, None)
        np.testing.assert_array_equal(read.matrix, before)

    def test_a_model_that_looks_at_other_rows_is_not_row_wise(self, tmp_path: Path) -> None:
        model = make_pipeline(FunctionTransformer(centred), LinearRegression()).fit(X, Y)
        served = save(tmp_path / "m", model).served
        assert not served.row_wise
        assert "a row alone" in served.report.row_wise_reason


def centred(table: Any) -> Any:
    return table - table.mean(axis=0)
