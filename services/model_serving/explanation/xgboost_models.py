"""Explains XGBoost's boosters by the library itself, which computes TreeSHAP."""

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.boosters import BoosterExplainer
from services.model_serving.explanation.explanation import Label, Table, Unit
from services.model_serving.explanation.features import Features

TOLERANCE = 1e-3
"""XGBoost adds up in single precision."""
UNITS: dict[str, Unit] = {
    **dict.fromkeys(
        ("reg:squarederror", "reg:absoluteerror", "reg:quantileerror", "reg:pseudohubererror"), "prediction"
    ),
    **dict.fromkeys(("rank:pairwise", "rank:ndcg", "rank:map"), "prediction"),
    **dict.fromkeys(("binary:logistic", "binary:logitraw", "reg:logistic"), "log_odds"),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), "log"),
}
"""By objective."""
CLASSIFIES = ("binary:", "multi:")


def is_xgboost(model: object) -> bool:
    """Say whether a model is XGBoost's; the library need not be installed to know."""
    return type(model).__module__.partition(".")[0] == "xgboost"


def explain_xgboost(model: Any, classes: Sequence[Label] | None, features: Features) -> BoosterExplainer:  # noqa: ANN401 (an optional library)
    """Make the explainer of a booster, or of a model in scikit-learn's manner.

    Args:
        model: the trees.
        classes: the labels where they are known; else they are numbers.
        features: what the trees look at.

    Raises:
        NotExplainable: it boosts linear models.
    """
    xgboost: Any = sys.modules["xgboost"]  # an optional library, in memory since there is a model of it
    booster = model if isinstance(model, xgboost.Booster) else model.get_booster()
    learner = json.loads(booster.save_config())["learner"]
    if learner["gradient_booster"]["name"] == "gblinear":
        raise NotExplainable("boosts linear models instead of trees")
    objective = learner["objective"]["name"]
    sizes = learner["learner_model_param"]
    outputs = max(1, int(sizes.get("num_class", 0)), int(sizes.get("num_target", 1)))
    if classes is None and objective.startswith(CLASSIFIES):
        classes = range(max(2, outputs))
    stop = _best_iteration(model, booster) + 1

    def ask(table: Table, **what: bool) -> npt.NDArray[np.float64]:
        matrix = xgboost.DMatrix(
            features.of(table),
            feature_names=booster.feature_names,
            feature_types=booster.feature_types,
            missing=getattr(model, "missing", np.nan),
            enable_categorical=True,
            nthread=1,
        )
        return np.asarray(
            booster.predict(matrix, iteration_range=(0, stop), strict_shape=True, **what), dtype=np.float64
        )

    return BoosterExplainer(
        contributions=lambda table: ask(table, pred_contribs=True),
        raw=lambda table: ask(table, output_margin=True),
        unit=UNITS.get(objective, "margin"),
        labels=None if classes is None else list(classes[-outputs:]),
        outputs=outputs,
        features=features,
        tolerance=TOLERANCE,
    )


def _best_iteration(model: object, booster: Any) -> int:  # noqa: ANN401 (an optional library)
    """Return the last round that the model predicts with; -1 for all, as a bare booster does."""
    found = booster.attr("best_iteration")
    return -1 if found is None or model is booster else int(found)
