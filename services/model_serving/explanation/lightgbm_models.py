"""Explains LightGBM's boosters by the library itself, which computes TreeSHAP."""

import re
from collections.abc import Sequence

import lightgbm
import numpy as np
import numpy.typing as npt

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.boosters import BoosterExplainer
from services.model_serving.explanation.explanation import Label, Table, Unit
from services.model_serving.explanation.features import Features

TOLERANCE = 1e-6
OBJECTIVE = re.compile(r"^objective=(.*)$", re.MULTILINE)
AVERAGES = re.compile(r"^average_output$", re.MULTILINE)
"""Marks a random forest, whose raw score LightGBM gives as a sum although its prediction comes from the mean."""
LINEAR_LEAVES = re.compile(r"^is_linear=1$", re.MULTILINE)
UNITS: dict[str, Unit] = {
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "prediction"),
    **dict.fromkeys(("lambdarank", "rank_xendcg"), "prediction"),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "log"),
    **dict.fromkeys(("binary sigmoid:1", "cross_entropy"), "log_odds"),
}
"""By objective with its options; those that transform the score otherwise, such as `regression sqrt`, are not here."""
TWO_CLASSES = ("binary", "cross_entropy")


def explain_lightgbm(
    booster: lightgbm.Booster, classes: Sequence[Label] | None, features: Features
) -> BoosterExplainer:
    """Make the explainer of a booster.

    Args:
        booster: the trees.
        classes: the labels where they are known; else they are numbers.
        features: what the trees look at.

    Raises:
        NotExplainable: its leaves hold linear models.
    """
    outputs = booster.num_model_per_iteration()
    head = booster.model_to_string(num_iteration=1)
    if LINEAR_LEAVES.search(head):
        raise NotExplainable("has linear models in its leaves")
    found = OBJECTIVE.search(head)
    objective = found.group(1).strip() if found else ""
    scale = 1 / booster.current_iteration() if AVERAGES.search(head) else 1.0
    if classes is None and (outputs > 1 or objective.startswith(TWO_CLASSES)):
        classes = range(max(2, outputs))

    def contributions(table: Table) -> npt.NDArray[np.float64]:
        found = np.asarray(booster.predict(features.of(table), pred_contrib=True, num_threads=1))
        return found.reshape(len(found), outputs, -1) * scale

    def raw(table: Table) -> npt.NDArray[np.float64]:
        found = np.asarray(booster.predict(features.of(table), raw_score=True, num_threads=1))
        return found.reshape(len(found), outputs) * scale

    return BoosterExplainer(
        contributions=contributions,
        raw=raw,
        unit=UNITS.get(objective, "margin"),
        labels=None if classes is None else list(classes[-outputs:]),
        outputs=outputs,
        features=features,
        tolerance=TOLERANCE,
    )
