"""Explains scikit-learn's trees, forests and boosted trees, also behind transformers that keep columns apart."""

import numpy as np

from services.model_serving.explanation.deadline import Deadline
from services.model_serving.explanation.explanation import Explanation, Table, names_of
from services.model_serving.explanation.features import Features
from services.model_serving.explanation.forest import Forest, groups
from services.model_serving.explanation.paths import Paths
from services.model_serving.explanation.scores import Score

TOLERANCE = 1e-6


class TreeExplainer:
    """Explains the raw score of trees.

    Args:
        forest: the trees.
        score: the raw score.
        features: what the trees look at.
    """

    def __init__(self, forest: Forest, score: Score, features: Features) -> None:
        self.outputs = len(forest.constant)
        self._forest = forest
        self._score = score
        self._features = features

    def explain(self, table: Table, deadline: Deadline) -> Explanation:
        """Explain the rows of a table; the features that a column became are known or unknown together."""
        features = self._forest.read(self._features.of(table))
        sources = self._features.columns(table)
        base = self._forest.constant.copy()
        contributions = np.zeros((len(features), table.shape[1], self.outputs))
        for nodes in groups(self._forest.tables()):
            deadline.check()
            paths = Paths(nodes.trees(sources), table.shape[1])
            base += paths.base
            contributions += paths.contributions(nodes.passes(features), deadline)
        explanation = Explanation(
            method="tree_shap",
            unit=self._score.unit,
            background="training",
            outputs=self._score.outputs,
            columns=names_of(table),
            base_values=base,
            contributions=contributions,
        )
        explanation.check(self._score.of(table), TOLERANCE)
        return explanation
