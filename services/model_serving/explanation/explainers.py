"""From a model in memory to what explains it."""

from typing import Any

import lightgbm
import numpy as np
from sklearn.base import BaseEstimator

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.background import background_of
from services.model_serving.explanation.explanation import Explainer, Label
from services.model_serving.explanation.features import Features, Taken, take_apart
from services.model_serving.explanation.lightgbm_models import explain_lightgbm
from services.model_serving.explanation.linear import LinearExplainer
from services.model_serving.explanation.scores import score_of
from services.model_serving.explanation.sklearn_forests import read_forest
from services.model_serving.explanation.sklearn_trees import TreeExplainer
from services.model_serving.explanation.xgboost_models import explain_xgboost, is_xgboost

LINEAR = ("sklearn.linear_model.", "sklearn.svm.", "sklearn.discriminant_analysis")
"""Modules whose estimators with coefficients score by a weighted sum of the features."""


def make_explainer(model: LoadedModel) -> Explainer:
    """Find what explains a model.

    Raises:
        NotExplainable: nothing does.
    """
    raw = model.raw
    if isinstance(raw, lightgbm.Booster):
        return explain_lightgbm(raw, None, Features())
    if isinstance(raw, BaseEstimator):
        return _estimator(model, take_apart(raw))
    if is_xgboost(raw):
        return explain_xgboost(raw, None, Features())
    raise NotExplainable("is of another kind")


def _estimator(model: LoadedModel, taken: Taken) -> Explainer:
    final = taken.final
    if isinstance(final, lightgbm.LGBMModel):
        return explain_lightgbm(final.booster_, _classes(final), taken.features)
    if is_xgboost(final):
        return explain_xgboost(final, _classes(final), taken.features)
    forest = read_forest(final)
    if forest is not None:
        return TreeExplainer(forest, score_of(taken.whole, final), taken.features)
    if type(final).__module__.startswith(LINEAR) and hasattr(final, "coef_"):
        score = score_of(taken.whole, final)
        coefficients = np.atleast_2d(np.asarray(final.coef_, dtype=np.float64))
        return LinearExplainer(coefficients, score, taken.features, background_of(model))
    raise NotExplainable(f"ends in {type(final).__name__}")


def _classes(final: Any) -> list[Label] | None:  # noqa: ANN401 (of one of two libraries)
    found = getattr(final, "classes_", None)
    return None if found is None else np.asarray(found).tolist()
