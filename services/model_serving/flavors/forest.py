"""The trees of scikit-learn's forests, one after the other.

A forest of 100 trees takes 7 ms for one row, nearly all of it for handing trees to threads (joblib).
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn import ensemble, tree

Matrix: TypeAlias = npt.NDArray[Any]

REGRESSORS = frozenset({ensemble.ExtraTreesRegressor, ensemble.RandomForestRegressor})
CLASSIFIERS = frozenset({ensemble.ExtraTreesClassifier, ensemble.RandomForestClassifier})
LONE_REGRESSORS = frozenset({tree.DecisionTreeRegressor, tree.ExtraTreeRegressor})
LONE_CLASSIFIERS = frozenset({tree.DecisionTreeClassifier, tree.ExtraTreeClassifier})


def score(model: Any, function: str) -> Callable[[Matrix], Matrix] | None:  # noqa: ANN401 (any estimator)
    """Return what a fitted model does to a matrix of finite float32; None when it is not of the kinds known here."""
    kind = type(model)
    known = REGRESSORS | CLASSIFIERS | LONE_REGRESSORS | LONE_CLASSIFIERS
    if kind not in known or model.n_outputs_ != 1:
        return None
    lone = kind in LONE_REGRESSORS | LONE_CLASSIFIERS
    trees = [part.tree_.predict for part in ([model] if lone else model.estimators_)]
    if kind in REGRESSORS | LONE_REGRESSORS and function == "predict":
        return _mean(trees, None)
    if kind in CLASSIFIERS | LONE_CLASSIFIERS and function in {"predict", "predict_proba"}:
        chances = _mean(trees, int(model.n_classes_))
        classes = model.classes_
        return chances if function == "predict_proba" else lambda matrix: classes.take(chances(matrix).argmax(axis=1))
    return None


def _mean(trees: list[Callable[[Matrix], Matrix]], classes: int | None) -> Callable[[Matrix], Matrix]:
    """Average in the order of the trees, as one job does."""
    column = 0 if classes is None else slice(classes)

    def mean(matrix: Matrix) -> Matrix:
        if len(trees) == 1:
            return trees[0](matrix)[:, column]
        shape = (len(matrix),) if classes is None else (len(matrix), classes)
        total = np.zeros(shape)
        for predict in trees:
            total += predict(matrix)[:, column]
        total /= len(trees)
        return total

    return mean
