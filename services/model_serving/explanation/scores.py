"""What a scikit-learn model's raw score is: how to ask for it, and in which unit it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import is_classifier
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    SGDClassifier,
    TweedieRegressor,
)

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.explanation import Label, Table, Unit
from services.model_serving.explanation.sklearn_forests import FORESTS, TREES

LOGISTIC = (LogisticRegression, LinearDiscriminantAnalysis, HistGradientBoostingClassifier)
LOG_LINK = (PoissonRegressor, GammaRegressor)


@dataclass(frozen=True, slots=True)
class Score:
    """A raw score.

    Attributes:
        unit: what it is.
        outputs: the classes it is of; None of a regressor.
        of: (rows, outputs) for a table.
    """

    unit: Unit
    outputs: Sequence[Label] | None
    of: Callable[[Table], npt.NDArray[np.float64]]


def score_of(model: Any, final: Any) -> Score:  # noqa: ANN401 (scikit-learn has no common type for both)
    """Find a model's raw score.

    Args:
        model: what takes the caller's columns.
        final: the estimator at its end, or the same.

    Raises:
        NotExplainable: it predicts several classes at once.
    """
    if not is_classifier(final):
        return Score(*_regressor(model, final))
    if isinstance(final.classes_, list):
        raise NotExplainable("predicts several classes of a row at once")
    classes: list[Label] = np.asarray(final.classes_).tolist()
    binary = len(classes) == 2  # noqa: PLR2004 (two classes)
    outputs = classes[1:] if binary else classes
    if isinstance(final, TREES + FORESTS):
        return Score("probability", outputs, lambda table: model.predict_proba(table)[:, 1 if binary else 0 :])
    return Score(_margin(final, binary=binary), outputs, lambda table: _tall(model.decision_function(table)))


def _regressor(model: Any, final: Any) -> tuple[Unit, None, Callable[[Table], npt.NDArray[np.float64]]]:  # noqa: ANN401 (see score_of)
    if _has_log_link(final):
        return "log", None, lambda table: np.log(_tall(model.predict(table)))
    return "prediction", None, lambda table: _tall(model.predict(table))


def _has_log_link(final: Any) -> bool:  # noqa: ANN401 (see score_of)
    if isinstance(final, TweedieRegressor):
        return bool(final.link == "log" or (final.link == "auto" and final.power > 0))
    if isinstance(final, HistGradientBoostingRegressor):
        return final.loss in {"poisson", "gamma"}
    return isinstance(final, LOG_LINK)


def _margin(final: Any, *, binary: bool) -> Unit:  # noqa: ANN401 (see score_of)
    logistic = (
        isinstance(final, LOGISTIC)
        or (isinstance(final, GradientBoostingClassifier) and final.loss == "log_loss")
        or (isinstance(final, SGDClassifier) and final.loss == "log_loss")
    )
    return "log_odds" if logistic and binary else "margin"


def _tall(values: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401 (whatever the model gives)
    found = np.asarray(values, dtype=np.float64)
    return found.reshape(len(found), -1)
