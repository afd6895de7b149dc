"""The learners: each is fitted by its library and returned as plain arrays that forecast the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from forecaster import Array, Linear, Member, Trees

FEATURE_SHARE = 0.5
BAGGING_SHARE = 0.8
LEAF_SAMPLES_PER_HORIZON = 20


@dataclass(frozen=True, slots=True)
class Hyper:
    """Hyper-parameters of all learners; small trees and strong shrinkage, since daily changes are mostly noise.

    Attributes:
        factors: Factors of the curve.
        ridge_alpha: Penalty on squared coefficients.
        lightgbm_rounds: Trees per factor.
        lightgbm_leaves: Leaves of a tree.
        lightgbm_rate: Learning rate.
        forest_trees: Trees.
        forest_depth: Most splits on the way to a leaf.
        forest_leaf: Fewest samples in a leaf.
    """

    factors: int = 3
    ridge_alpha: float = 1000.0
    lightgbm_rounds: int = 40
    lightgbm_leaves: int = 6
    lightgbm_rate: float = 0.05
    forest_trees: int = 40
    forest_depth: int = 4
    forest_leaf: int = 40


Fit = Callable[[Array, Array, Sequence[int], Hyper, int], Member]


def fit_ridge(features: Array, targets: Array, horizons: Sequence[int], hyper: Hyper, seed: int) -> Linear:
    """Fit one ridge regression per horizon and factor.

    Args:
        features: (N, F), standardised.
        targets: (N, H, K) with mean zero.
        horizons: Days ahead, H.
        hyper: Uses `ridge_alpha`.
        seed: Not used; the solution is unique.
    """
    del horizons, seed
    ridge = Ridge(alpha=hyper.ridge_alpha, fit_intercept=False, solver="cholesky")
    ridge.fit(features, targets.reshape(len(targets), -1))
    return Linear(np.ascontiguousarray(ridge.coef_.T))


def fit_lightgbm(features: Array, targets: Array, horizons: Sequence[int], hyper: Hyper, seed: int) -> Trees:
    """Fit one booster per factor, over all horizons at once, with the horizon as the last feature."""
    return export_boosters(fit_boosters(features, targets, horizons, hyper, seed))


def fit_boosters(
    features: Array, targets: Array, horizons: Sequence[int], hyper: Hyper, seed: int
) -> list[lightgbm.Booster]:
    """Fit the boosters of :func:`fit_lightgbm`, one per factor."""
    rows = np.column_stack([np.repeat(features, len(horizons), axis=0), np.tile(horizons, len(features))])
    settings = {
        "objective": "regression",
        "num_leaves": hyper.lightgbm_leaves,
        "learning_rate": hyper.lightgbm_rate,
        "min_data_in_leaf": LEAF_SAMPLES_PER_HORIZON * len(horizons),
        "feature_fraction": FEATURE_SHARE,
        "bagging_fraction": BAGGING_SHARE,
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    return [
        lightgbm.train(settings, lightgbm.Dataset(rows, targets[:, :, factor].ravel()), hyper.lightgbm_rounds)
        for factor in range(targets.shape[2])
    ]


def fit_forest(features: Array, targets: Array, horizons: Sequence[int], hyper: Hyper, seed: int) -> Trees:
    """Fit one random forest whose leaves hold all horizons and factors."""
    del horizons
    return export_forest(fit_trees(features, targets, hyper, seed))


def fit_trees(features: Array, targets: Array, hyper: Hyper, seed: int) -> RandomForestRegressor:
    """Fit the forest of :func:`fit_forest`."""
    forest = RandomForestRegressor(
        hyper.forest_trees,
        max_depth=hyper.forest_depth,
        min_samples_leaf=hyper.forest_leaf,
        max_features=FEATURE_SHARE,
        random_state=seed,
        n_jobs=1,
    )
    return forest.fit(features, targets.reshape(len(targets), -1))


LEARNERS: Mapping[str, Fit] = {"ridge": fit_ridge, "lightgbm": fit_lightgbm, "random_forest": fit_forest}


def export_forest(forest: RandomForestRegressor) -> Trees:
    """Return a fitted forest as arrays; the mean over trees becomes a sum of leaves divided by their number."""
    nodes = _Nodes(outputs=forest.n_outputs_)
    for estimator in forest.estimators_:
        nodes.add_tree(_sklearn_splits(estimator), _sklearn_leaves(estimator, len(forest.estimators_)))
    return nodes.trees(by_horizon=False)


def export_boosters(boosters: Sequence[lightgbm.Booster]) -> Trees:
    """Return boosters as arrays; each fills the column of its factor."""
    nodes = _Nodes(outputs=len(boosters))
    for factor, booster in enumerate(boosters):
        for tree in booster.dump_model()["tree_info"]:
            splits: list[tuple[int, float, int, int]] = []
            leaves: dict[int, Array] = {}
            _walk(tree["tree_structure"], splits, leaves, np.eye(len(boosters))[factor])
            nodes.add_tree(splits, leaves)
    return nodes.trees(by_horizon=True)


def importance(member: Member, features: int) -> Array:
    """Return how much a learner looks at each feature and at the horizon, (F + 1,), as shares of one.

    Absolute coefficients of a linear map, numbers of splits of trees.
    """
    counts = np.zeros(features + 1)
    if isinstance(member, Linear):
        counts[:features] = np.abs(member.coefficients).sum(axis=1)
    else:
        splits = member.left != np.arange(len(member.left))
        counts += np.bincount(member.feature[splits], minlength=features + 1)
    return counts / counts.sum() if counts.any() else counts


def _sklearn_splits(estimator: DecisionTreeRegressor) -> list[tuple[int, float, int, int]]:
    tree = estimator.tree_
    leaf = tree.children_left < 0
    own = np.arange(tree.node_count)
    columns = (
        np.where(leaf, 0, tree.feature),
        np.where(leaf, 0.0, tree.threshold),
        np.where(leaf, own, tree.children_left),
        np.where(leaf, own, tree.children_right),
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _sklearn_leaves(estimator: DecisionTreeRegressor, trees: int) -> dict[int, Array]:
    tree = estimator.tree_
    return {int(node): tree.value[node, :, 0] / trees for node in np.flatnonzero(tree.children_left < 0)}


def _walk(
    node: Mapping[str, Any], splits: list[tuple[int, float, int, int]], leaves: dict[int, Array], unit: Array
) -> int:
    """Append a node of a LightGBM dump and everything under it; return its index."""
    own = len(splits)
    splits.append((0, 0.0, own, own))
    if "leaf_value" in node:
        leaves[own] = node["leaf_value"] * unit
        return own
    left = _walk(node["left_child"], splits, leaves, unit)
    right = _walk(node["right_child"], splits, leaves, unit)
    splits[own] = (node["split_feature"], node["threshold"], left, right)
    return own


class _Nodes:
    """Collects trees into flat arrays."""

    def __init__(self, outputs: int) -> None:
        self._outputs = outputs
        self._roots: list[int] = []
        self._splits: list[tuple[int, float, int, int]] = []
        self._values: list[Array] = []
        self._depth = 0

    def add_tree(self, splits: list[tuple[int, float, int, int]], leaves: Mapping[int, Array]) -> None:
        """Add a tree whose indices count from its own root."""
        first = len(self._splits)
        self._roots.append(first)
        none = np.zeros(self._outputs)
        depth = [0] * len(splits)
        for own, (feature, threshold, left, right) in enumerate(splits):
            for child in {left, right} - {own}:
                depth[child] = depth[own] + 1
            self._splits.append((feature, threshold, left + first, right + first))
            self._values.append(leaves.get(own, none))
        self._depth = max(self._depth, *depth, 0)

    def trees(self, *, by_horizon: bool) -> Trees:
        """Return everything added so far."""
        feature, threshold, left, right = (np.array(column) for column in zip(*self._splits, strict=True))
        return Trees(
            roots=np.array(self._roots),
            feature=feature,
            threshold=threshold.astype(np.float64),
            left=left,
            right=right,
            value=np.array(self._values),
            depth=np.array([self._depth]),
            by_horizon=np.array([by_horizon]),
        )
