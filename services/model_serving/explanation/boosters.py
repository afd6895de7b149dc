"""Explains boosted trees by the library that they are of."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from services.model_serving.explanation.deadline import Deadline
from services.model_serving.explanation.explanation import Explanation, Label, Table, Unit, names_of
from services.model_serving.explanation.features import Features

ROWS = 10
"""Rows between two looks at the deadline."""

Ask: TypeAlias = Callable[[Table], npt.NDArray[np.float64]]


class BoosterExplainer:
    """Explains the raw score of boosted trees.

    Args:
        contributions: from the caller's columns to (rows, outputs, features + 1), the base value last.
        raw: (rows, outputs).
        unit: what the raw score is.
        labels: the classes that are explained.
        outputs: how many values are explained for each row.
        features: what the trees look at.
        tolerance: of the sum against the raw score.
    """

    def __init__(
        self,
        *,
        contributions: Ask,
        raw: Ask,
        unit: Unit,
        labels: Sequence[Label] | None,
        outputs: int,
        features: Features,
        tolerance: float,
    ) -> None:
        self.outputs = outputs
        self._contributions = contributions
        self._raw = raw
        self._unit = unit
        self._labels = labels
        self._features = features
        self._tolerance = tolerance

    def explain(self, table: Table, deadline: Deadline) -> Explanation:
        """Explain the rows of a table; of a column that became several features, their sum."""
        parts = []
        for start in range(0, len(table), ROWS):
            deadline.check()
            parts.append(self._contributions(table[start : start + ROWS]))
        found = np.concatenate(parts).transpose(0, 2, 1)
        explanation = Explanation(
            method="tree_shap",
            unit=self._unit,
            background="training",
            outputs=self._labels,
            columns=names_of(table),
            base_values=found[0, -1],
            contributions=self._features.gather(found[:, :-1], table),
        )
        explanation.check(self._raw(table), self._tolerance)
        return explanation
