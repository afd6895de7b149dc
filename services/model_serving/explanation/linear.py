"""Explains linear models, also behind transformers that keep columns apart.

The raw score is a constant plus one term for each column. Whatever other columns are known, knowing a column changes
the mean score by its term less the term's mean, and that is its Shapley value.
"""

import numpy as np
import numpy.typing as npt

from services.model_serving.explanation.background import Rows
from services.model_serving.explanation.deadline import Deadline
from services.model_serving.explanation.explanation import Explanation, Table, names_of
from services.model_serving.explanation.features import Features, dense
from services.model_serving.explanation.scores import Score

TOLERANCE = 1e-6


class LinearExplainer:
    """Explains the raw score of a linear model.

    Args:
        coefficients: (outputs, features).
        score: the raw score.
        features: what the coefficients are of.
        background: rows to compare with.
    """

    def __init__(
        self, coefficients: npt.NDArray[np.float64], score: Score, features: Features, background: Rows
    ) -> None:
        self.outputs = len(coefficients)
        self._coefficients = coefficients
        self._score = score
        self._features = features
        self._background = background.source
        self._means = self._numbers(background.table).mean(axis=0)
        self._base = score.of(background.table).mean(axis=0)

    def explain(self, table: Table, deadline: Deadline) -> Explanation:
        """Explain the rows of a table."""
        distances = self._numbers(table) - self._means
        deadline.check()
        explanation = Explanation(
            method="linear_shap",
            unit=self._score.unit,
            background=self._background,
            outputs=self._score.outputs,
            columns=names_of(table),
            base_values=self._base,
            contributions=self._features.gather(distances[:, :, None] * self._coefficients.T[None], table),
        )
        explanation.check(self._score.of(table), TOLERANCE)
        return explanation

    def _numbers(self, table: Table) -> npt.NDArray[np.float64]:
        return dense(self._features.of(table)).astype(np.float64)
