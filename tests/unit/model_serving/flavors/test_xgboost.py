"""XGBoost: boosters and wrappers on arrays."""

from collections.abc import Mapping
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from tests.unit.model_serving.flavors.comparing import COLUMNS, Pair, Sent, pair, tables, training_data

xgboost = pytest.importorskip("xgboost", reason="the extra `flavors` is not installed")

DOUBLES: Mapping[str, Any] = dict.fromkeys(COLUMNS, np.float64)
X, Y = training_data()
THREE = pd.factorize(pd.cut(Y, 3))[0]
NAMES = ("booster", "dart", "regressor", "early stopping", "two labels", "three labels")


def trained(name: str) -> Any:
    if name in {"booster", "dart"}:
        options = {"booster": "dart" if name == "dart" else "gbtree", "objective": "binary:logistic", "nthread": 1}
        return xgboost.train(options, xgboost.DMatrix(X, Y > 0), 10)
    if name == "regressor":
        return xgboost.XGBRegressor(n_estimators=10, n_jobs=1).fit(X, Y)
    if name == "early stopping":
        model = xgboost.XGBRegressor(n_estimators=50, n_jobs=1, early_stopping_rounds=2)
        return model.fit(X[:150], Y[:150], eval_set=[(X[150:], Y[150:])], verbose=False)
    return xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(X, THREE if name == "three labels" else Y > 0)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    folder = tmp_path_factory.mktemp("xgboost")
    signature = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]))
    for name in NAMES:
        mlflow.xgboost.save_model(
            trained(name),
            folder / name,
            signature=signature,
            input_example=X.head(3),
            pip_requirements=["mlflow"],
            model_format="json" if name == "dart" else "ubj",
        )
    return {name: pair(folder / name) for name in NAMES}


class TestEquality:
    @pytest.mark.parametrize("name", NAMES)
    @given(data=st.data())
    @settings(max_examples=25, deadline=None)
    def test_random_rows_are_answered_as_by_mlflow(
        self, pairs: Mapping[str, Pair], name: str, data: st.DataObject
    ) -> None:
        sent: Sent = data.draw(tables(DOUBLES))
        pairs[name].check(sent.body, sent.frame)

    @pytest.mark.parametrize("name", NAMES)
    @given(data=st.data())
    @settings(max_examples=10, deadline=None)
    def test_rows_are_answered_together_as_alone(
        self, pairs: Mapping[str, Pair], name: str, data: st.DataObject
    ) -> None:
        assert pairs[name].served.row_wise
        pairs[name].check_rows(data.draw(tables(DOUBLES)).body)


class TestPath:
    @pytest.mark.parametrize("name", NAMES)
    def test_no_matrix_of_the_library_is_built(self, pairs: Mapping[str, Pair], name: str) -> None:
        reason = pairs[name].served.report.path_reason
        assert reason.startswith(("Booster.inplace_predict", "XGBRegressor.predict", "XGBClassifier.predict"))
