"""Shapley values by their definition, over every set of columns; slow, and with nothing in common with the code tested.

A tree is read here as its library writes it down, and walked one row and one node at a time.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass
class Leaf:
    """Where a row ends."""

    value: Values


@dataclass
class Split:
    """A test of one feature; `share` of the training rows passed."""

    feature: int
    passes: Callable[[float], bool]
    share: float
    left: "Split | Leaf"
    right: "Split | Leaf"


def shapley(worth: Callable[[frozenset[int]], Values], columns: int) -> tuple[Values, Values]:
    """Return what nobody is worth, and each column's value by the definition, (columns, outputs)."""
    worth = cache(worth)  # each set of columns is asked for once for every column
    everybody = range(columns)
    values = [np.zeros_like(worth(frozenset())) for _ in everybody]
    for column in everybody:
        others = [other for other in everybody if other != column]
        for size in range(columns):
            weight = math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns)
            for some in combinations(others, size):
                gain = worth(frozenset({*some, column})) - worth(frozenset(some))
                values[column] = values[column] + weight * gain
    return worth(frozenset()), np.array(values)


def explain_trees(
    trees: Iterable[Split | Leaf], rows: Any, *, columns: int, source: Callable[[int], int] = lambda feature: feature
) -> tuple[Values, Values]:
    """Return base values, (outputs,), and contributions, (rows, columns, outputs), of the sum of some trees."""
    trees = list(trees)

    def one(row: Any) -> tuple[Values, Values]:
        def worth(known: frozenset[int]) -> Values:
            return np.sum([mean(tree, row, known, source) for tree in trees], axis=0)

        return shapley(worth, columns)

    found = [one(row) for row in np.asarray(rows)]
    return found[0][0], np.array([values for _, values in found])


def mean(tree: Split | Leaf, row: Any, known: frozenset[int], source: Callable[[int], int]) -> Values:
    """Return the mean of a tree when only some columns of a row are known."""
    if isinstance(tree, Leaf):
        return tree.value
    if source(tree.feature) in known:
        return mean(tree.left if tree.passes(row[tree.feature]) else tree.right, row, known, source)
    return tree.share * mean(tree.left, row, known, source) + (1 - tree.share) * mean(tree.right, row, known, source)


def explain_score(score: Callable[[Any], Values], background: Any, frame: Any) -> tuple[Values, Values]:
    """Return the same for a score of tables, where unknown columns come from the rows of a background."""

    def one(row: int) -> tuple[Values, Values]:
        def worth(known: frozenset[int]) -> Values:
            mixed = background.copy()
            for column in known:
                mixed.isetitem(column, [frame.iloc[row, column]] * len(mixed))
            return score(mixed).mean(axis=0)

        return shapley(worth, frame.shape[1])

    found = [one(row) for row in range(len(frame))]
    return found[0][0], np.array([values for _, values in found])


def of_sklearn(tree: Any, value: Callable[[Any], Any], node: int = 0) -> Split | Leaf:
    """Read a `tree_`; `value` makes a leaf's (targets, classes) its outputs."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        return Leaf(np.asarray(value(tree.value[node]), dtype=np.float64))
    threshold, missing = tree.threshold[node], bool(tree.missing_go_to_left[node])
    return Split(
        tree.feature[node],
        lambda given: missing if np.isnan(given) else np.float32(given) <= threshold,
        tree.weighted_n_node_samples[left] / tree.weighted_n_node_samples[node],
        of_sklearn(tree, value, left),
        of_sklearn(tree, value, right),
    )


def of_histogram(predictor: Any, place: Callable[[float], Any], number: int = 0) -> Split | Leaf:
    """Read a tree of histogram gradient boosting."""
    node = predictor.nodes[number]
    if node["is_leaf"]:
        return Leaf(np.asarray(place(node["value"]), dtype=np.float64))

    def passes(given: float) -> bool:
        if np.isnan(given):
            return bool(node["missing_go_to_left"])
        if node["is_categorical"]:
            word, bit = divmod(int(given), 32)
            return bool(int(predictor.raw_left_cat_bitsets[node["bitset_idx"]][word]) >> bit & 1)
        return bool(given <= node["num_threshold"])

    left, right = int(node["left"]), int(node["right"])
    share = predictor.nodes[left]["count"] / node["count"]
    children = of_histogram(predictor, place, left), of_histogram(predictor, place, right)
    return Split(int(node["feature_idx"]), passes, share, *children)


def of_lightgbm(node: dict[str, Any]) -> Split | Leaf:
    """Read a tree of `dump_model`, of numbers without missing values."""
    if "leaf_value" in node:
        return Leaf(np.array([node["leaf_value"]]))
    assert node["decision_type"] == "<="
    left, right = node["left_child"], node["right_child"]
    counts = [child.get("leaf_count", child.get("internal_count")) for child in (left, right)]
    return Split(
        node["split_feature"],
        lambda given: given <= node["threshold"],
        counts[0] / sum(counts),
        of_lightgbm(left),
        of_lightgbm(right),
    )
