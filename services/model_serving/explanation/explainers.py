"""From a model in memory to what explains it."""

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
from sklearn.base import BaseEstimator
from structlog import get_logger

from mlplatform.monitoring.profile import Profile
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.background import backgrounds_of
from services.model_serving.explanation.explanation import Explainer, Label
from services.model_serving.explanation.features import Features, Taken, take_apart
from services.model_serving.explanation.lightgbm_models import explain_lightgbm
from services.model_serving.explanation.linear import LinearExplainer
from services.model_serving.explanation.scores import score_of
from services.model_serving.explanation.sklearn_forests import read_forest
from services.model_serving.explanation.sklearn_trees import TreeExplainer
from services.model_serving.explanation.xgboost_models import explain_xgboost, is_xgboost

log = get_logger(__name__)

LINEAR = ("sklearn.linear_model.", "sklearn.svm.", "sklearn.discriminant_analysis")
"""Modules whose estimators with coefficients score by a weighted sum of the features."""


def make_explainer(model: LoadedModel, profile: Callable[[], Profile | None]) -> Explainer:
    """Find what explains a model.

    Args:
        model: a version in memory.
        profile: looks up its reference profile, when that is needed.

    Raises:
        NotExplainable: nothing does.
    """
    raw = model.raw
    if isinstance(raw, lightgbm.Booster):
        return explain_lightgbm(raw, None, Features())
    if isinstance(raw, BaseEstimator):
        return _estimator(model, take_apart(raw), profile)
    if is_xgboost(raw):
        return explain_xgboost(raw, None, Features())
    raise NotExplainable("is of another kind")


def _estimator(model: LoadedModel, taken: Taken, profile: Callable[[], Profile | None]) -> Explainer:
    final = taken.final
    if isinstance(final, lightgbm.LGBMModel):
        return explain_lightgbm(final.booster_, _classes(final), taken.features)
    if is_xgboost(final):
        return explain_xgboost(final, _classes(final), taken.features)
    forest = read_forest(final)
    if forest is not None:
        return TreeExplainer(forest, score_of(taken.whole, final), taken.features)
    if type(final).__module__.startswith(LINEAR) and hasattr(final, "coef_"):
        return _linear(model, taken, profile())
    raise NotExplainable(f"ends in {type(final).__name__}")


def _linear(model: LoadedModel, taken: Taken, profile: Profile | None) -> Explainer:
    score = score_of(taken.whole, taken.final)
    coefficients = np.atleast_2d(np.asarray(taken.final.coef_, dtype=np.float64))
    for background in backgrounds_of(model, profile):
        try:
            return LinearExplainer(coefficients, score, taken.features, background)
        except ValueError as error:  # the model does not take such rows
            log.info("explanation_background_refused", source=background.source, error=type(error).__name__)
    raise NotExplainable("has neither a reference profile nor an input example that its columns can be compared with")


def _classes(final: Any) -> list[Label] | None:  # noqa: ANN401 (of one of two libraries)
    found = getattr(final, "classes_", None)
    return None if found is None else np.asarray(found).tolist()
