"""Estimators that forget their column names."""

import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor, StackingRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from services.model_serving.flavors.names import NAMES, needs_names, parts, without_names
from tests.unit.model_serving.flavors.comparing import training_data

X, Y = training_data(50)
NESTED: dict[str, BaseEstimator] = {
    "pipeline": make_pipeline(StandardScaler(), LinearRegression()),
    "union": make_pipeline(FeatureUnion([("a", StandardScaler()), ("b", StandardScaler())]), LinearRegression()),
    "vote": VotingRegressor([("a", LinearRegression()), ("b", RandomForestRegressor(2))]),
    "stack": StackingRegressor([("a", LinearRegression()), ("b", LinearRegression())], cv=2),
    "search": GridSearchCV(LinearRegression(), {"fit_intercept": [True, False]}, cv=2),
}


class TestWithoutNames:
    @pytest.mark.parametrize("kind", list(NESTED))
    def test_an_array_is_taken_without_a_warning(self, kind: str) -> None:
        model = NESTED[kind].fit(X, Y)
        expected = model.predict(X)
        assert (without_names(model).predict(X.to_numpy()) == expected).all()

    def test_the_model_itself_keeps_its_names(self) -> None:
        model = NESTED["pipeline"].fit(X, Y)
        nameless = without_names(model)
        assert list(model[0].feature_names_in_) == list(X)
        assert not any(NAMES in vars(part) for part in parts(nameless))

    def test_arrays_are_shared(self) -> None:
        model = LinearRegression().fit(X, Y)
        assert without_names(model).coef_ is model.coef_

    def test_a_model_that_was_fitted_on_an_array_is_returned_as_it_is(self) -> None:
        model = clone(NESTED["vote"]).fit(X.to_numpy(), Y)
        assert without_names(model) is model


class TestNeedsNames:
    def test_columns_that_are_selected(self) -> None:
        assert needs_names(make_pipeline(make_column_transformer((StandardScaler(), ["a"])), LinearRegression()))

    def test_frames_between_steps(self) -> None:
        scaler = StandardScaler().set_output(transform="pandas")
        assert needs_names(make_pipeline(scaler, LinearRegression()))

    def test_a_plain_pipeline_does_not(self) -> None:
        assert not needs_names(NESTED["pipeline"])
