"""The arithmetic of scikit-learn's linear models."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn import linear_model
from sklearn.svm import LinearSVC

Matrix: TypeAlias = npt.NDArray[Any]

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


def score(model: Any, function: str) -> Callable[[Matrix], Matrix] | None:  # noqa: ANN401 (any estimator)
    """Return what a fitted model does to a matrix of finite numbers; None when it is not of the kinds known here."""
    finish = _finish(model, function)
    if finish is None:
        return None
    weights, intercept = model.coef_.T, model.intercept_
    return lambda matrix: finish(matrix @ weights + intercept)


def _finish(model: Any, function: str) -> Callable[[Matrix], Matrix] | None:  # noqa: ANN401 (any estimator)
    kind = type(model)
    if function == "predict" and kind in REGRESSORS:
        return lambda sums: sums
    if function == "predict" and kind in CLASSIFIERS:
        return _labels(model.classes_)
    if function == "predict_proba" and kind in LOGISTIC:
        return _probabilities
    return None


def _labels(classes: Matrix) -> Callable[[Matrix], Matrix]:
    def finish(sums: Matrix) -> Matrix:
        if sums.shape[1] == 1:
            return np.asarray(classes.take((sums[:, 0] > 0).astype(np.intp)))
        return np.asarray(classes.take(sums.argmax(axis=1)))

    return finish


def _probabilities(sums: Matrix) -> Matrix:
    if sums.shape[1] == 1:
        chance = expit(sums[:, 0])
        return np.stack([1 - chance, chance], axis=1)
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
