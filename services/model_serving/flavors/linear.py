"""Linear models of scikit-learn, with imputing and scaling before them, as the few array operations that they are.

`Pipeline(StandardScaler, LogisticRegression).predict` takes 0.35 ms for one row (scikit-learn 1.9), of which some 10 µs
are arithmetic; the rest checks what has been checked. The operations here are scikit-learn's own, in its order, so
answers are equal to the last bit; each model is compared with MLflow's when it is loaded, as with every shortcut.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn import linear_model
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from services.model_serving.flavors.predictor import Candidate, Predict
from services.model_serving.signature import ModelInput

Matrix: TypeAlias = npt.NDArray[Any]
Step: TypeAlias = Callable[[Matrix], Matrix]

REGRESSORS = frozenset(
    {
        linear_model.ElasticNet,
        linear_model.ElasticNetCV,
        linear_model.Lasso,
        linear_model.LassoCV,
        linear_model.LinearRegression,
        linear_model.Ridge,
        linear_model.RidgeCV,
    }
)
LOGISTIC = frozenset({linear_model.LogisticRegression, linear_model.LogisticRegressionCV})
CLASSIFIERS = LOGISTIC | {linear_model.Perceptron, linear_model.SGDClassifier, LinearSVC}


def shortcut(model: BaseEstimator, function: str, *, otherwise: Predict) -> Candidate | None:
    """Return the arithmetic of a model; None when it is not of the kinds known here.

    Args:
        model: a fitted estimator.
        function: the method that MLflow calls.
        otherwise: called for inputs that the model refuses, such as NaN, so that it refuses them in its own words, and
            for inputs that are no matrix.
    """
    *before, last = [part for _, part in model.steps] if type(model) is Pipeline else [model]
    steps, finish = [_step(part) for part in before], _finish(last, function)
    known = [step for step in steps if step is not None]
    if finish is None or len(known) < len(steps):
        return None
    weights, intercept = last.coef_.T, last.intercept_

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401 (the common form)
        matrix = inputs.matrix
        if matrix is None:
            return otherwise(inputs, params)
        for step in known:
            matrix = step(matrix)
        if not np.isfinite(matrix).all():
            return otherwise(inputs, params)
        return finish(matrix @ weights + intercept)

    return Candidate(f"the arithmetic of {type(last).__name__}.{function}", predict)


def _step(part: object) -> Step | None:
    """Return what a transformer does to a matrix; the matrix itself stays as it is, for others read it too."""
    if type(part) is StandardScaler:
        mean, deviation = (part.mean_ if part.with_mean else None), (part.scale_ if part.with_std else None)
        return lambda matrix: _scaled(matrix if mean is None else matrix - mean, deviation)
    if type(part) is MinMaxScaler and not part.clip:
        factor, offset = part.scale_, part.min_
        return lambda matrix: matrix * factor + offset
    if type(part) is SimpleImputer and not part.add_indicator and _fills_every_column(part):
        fill = part.statistics_
        return lambda matrix: _filled(matrix, fill)
    return None


def _fills_every_column(imputer: SimpleImputer) -> bool:
    numbers = imputer.statistics_.dtype.kind == "f"
    return bool(numbers and np.isnan(imputer.missing_values) and not np.isnan(imputer.statistics_).any())


def _scaled(matrix: Matrix, deviation: Matrix | None) -> Matrix:
    return matrix if deviation is None else matrix / deviation


def _filled(matrix: Matrix, fill: Matrix) -> Matrix:
    filled = matrix.copy(order="K")  # the layout decides the order in which a product adds up
    np.copyto(filled, fill, where=np.isnan(matrix))
    return filled


def _finish(last: object, function: str) -> Step | None:
    kind = type(last)
    if function == "predict" and kind in REGRESSORS:
        return lambda scores: scores
    if function == "predict" and kind in CLASSIFIERS:
        return _labels(last.classes_)  # type: ignore[attr-defined]  # every fitted classifier has it
    if function == "predict_proba" and kind in LOGISTIC:
        return _probabilities
    return None


def _labels(classes: Matrix) -> Step:
    def finish(scores: Matrix) -> Matrix:
        if scores.shape[1] == 1:
            return np.asarray(classes.take((scores[:, 0] > 0).astype(np.intp)))
        return np.asarray(classes.take(scores.argmax(axis=1)))

    return finish


def _probabilities(scores: Matrix) -> Matrix:
    if scores.shape[1] == 1:
        chance = expit(scores[:, 0])
        return np.stack([1 - chance, chance], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
