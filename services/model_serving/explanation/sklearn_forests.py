"""Reads the trees of scikit-learn's estimators."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import BaseDecisionTree, DecisionTreeClassifier, DecisionTreeRegressor

from services.model_serving.errors import NotExplainable
from services.model_serving.explanation.features import dense
from services.model_serving.explanation.forest import Forest, NodeTable
from services.model_serving.explanation.paths import Floats

TREES = (DecisionTreeClassifier, DecisionTreeRegressor)
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
BOOSTED = (GradientBoostingClassifier, GradientBoostingRegressor)
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
BITS = 32
"""Of a word of a set of categories."""


def read_forest(estimator: Any) -> Forest | None:  # noqa: ANN401 (what is not known is asked for)
    """Return the trees of an estimator; None when it is none of those known."""
    if isinstance(estimator, TREES):
        return SortedTrees([(estimator, _shares(estimator))])
    if isinstance(estimator, FORESTS):
        part = 1 / len(estimator.estimators_)
        return SortedTrees([(tree, _scaled(_shares(tree), part)) for tree in estimator.estimators_])
    if isinstance(estimator, BOOSTED):
        return _boosted(estimator)
    return HistogramTrees(estimator) if isinstance(estimator, HISTOGRAMS) else None


Values = Callable[[npt.NDArray[np.float64]], Floats]
"""From `tree_.value`, (nodes, targets, classes), to what a leaf adds to each output."""


class SortedTrees:
    """Trees whose nodes are in `tree_`; they look at features in single precision.

    Args:
        trees: each with what its leaves are worth.
        constant: (outputs,) what is added to them; nothing unless given.
    """

    def __init__(self, trees: Sequence[tuple[BaseDecisionTree, Values]], constant: Floats | None = None) -> None:
        self._trees = trees
        tree, values = trees[0]
        self.constant = np.zeros(values(tree.tree_.value[:1]).shape[1]) if constant is None else constant

    def read(self, features: Any) -> npt.NDArray[np.floating[Any]]:  # noqa: ANN401 (a DataFrame, an array or a sparse matrix)
        """Return the features as the trees compare them."""
        return dense(features).astype(np.float32)

    def tables(self) -> Iterator[NodeTable]:
        """Yield the trees."""
        for estimator, values in self._trees:
            tree = estimator.tree_
            yield NodeTable(
                left=tree.children_left.astype(np.intp),
                right=tree.children_right.astype(np.intp),
                feature=tree.feature.astype(np.intp),
                threshold=tree.threshold,
                missing_left=tree.missing_go_to_left.astype(bool),
                cover=tree.weighted_n_node_samples,
                values=values(tree.value),
                categories={},
            )


class HistogramTrees:
    """Trees of histogram gradient boosting, which scikit-learn keeps to itself."""

    def __init__(self, estimator: HistGradientBoostingClassifier | HistGradientBoostingRegressor) -> None:
        self._estimator = estimator
        self.constant: Floats = estimator._baseline_prediction.ravel()  # noqa: SLF001 (nothing public shows it)
        chosen = estimator.is_categorical_
        # Its own encoder puts categories first.
        self._order = None if chosen is None else np.argsort(~chosen, kind="stable")

    def read(self, features: Any) -> npt.NDArray[np.floating[Any]]:  # noqa: ANN401 (a DataFrame, an array or a sparse matrix)
        """Return the features, categories as codes."""
        encoded: npt.NDArray[np.float64] = self._estimator._preprocess_X(features, reset=False)  # noqa: SLF001 (nothing public encodes)
        if self._order is None:
            return encoded
        back = np.empty_like(encoded)
        back[:, self._order] = encoded
        return back

    def tables(self) -> Iterator[NodeTable]:
        """Yield the trees."""
        for stage in self._estimator._predictors:  # noqa: SLF001 (nothing public shows the trees)
            for place, predictor in enumerate(stage):
                yield self._table(predictor, place)

    def _table(self, predictor: Any, place: int) -> NodeTable:  # noqa: ANN401 (scikit-learn's own class)
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        values = np.zeros((len(nodes), len(self.constant)))
        values[:, place] = nodes["value"]
        feature = nodes["feature_idx"].astype(np.intp)
        categories = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
        return NodeTable(
            left=np.where(leaf, -1, nodes["left"].astype(np.intp)),
            right=np.where(leaf, -1, nodes["right"].astype(np.intp)),
            feature=feature if self._order is None else self._order[np.where(leaf, 0, feature)],
            threshold=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"].astype(bool),
            cover=nodes["count"].astype(np.float64),
            values=values,
            categories={
                int(node): _bits(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]) for node in categories
            },
        )


def _boosted(estimator: GradientBoostingClassifier | GradientBoostingRegressor) -> SortedTrees:
    if not isinstance(estimator.init_, str | DummyClassifier | DummyRegressor):
        raise NotExplainable("boosts trees from another model's predictions")
    nothing = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    constant = estimator._raw_predict_init(nothing)[0]  # noqa: SLF001 (nothing public shows it)
    step = estimator.learning_rate
    return SortedTrees(
        [
            (tree, _placed(step, place, len(constant)))
            for stage in estimator.estimators_
            for place, tree in enumerate(stage)
        ],
        constant,
    )


def _bits(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    return ((words[:, None] >> np.arange(BITS, dtype=np.uint32)) & 1).astype(bool).ravel()


def _shares(tree: BaseDecisionTree) -> Values:
    """Probabilities of a classifier's classes, of two only the second; the value of a regressor for each target."""
    if not isinstance(tree, DecisionTreeClassifier):
        return lambda value: value[:, :, 0]

    def probabilities(value: npt.NDArray[np.float64]) -> Floats:
        shares: Floats = value[:, 0, :] / value[:, 0, :].sum(axis=1, keepdims=True)
        return shares[:, 1:] if shares.shape[1] == 2 else shares  # noqa: PLR2004 (two classes)

    return probabilities


def _scaled(values: Values, factor: float) -> Values:
    return lambda value: values(value) * factor


def _placed(step: float, place: int, outputs: int) -> Values:
    def placed(value: npt.NDArray[np.float64]) -> Floats:
        result = np.zeros((len(value), outputs))
        result[:, place] = value[:, 0, 0] * step
        return result

    return placed
