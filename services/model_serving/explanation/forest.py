"""The trees of scikit-learn's models in one form, whatever model they are of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from services.model_serving.explanation.paths import Floats, Places, Trees

NODES = 4000
"""Nodes that are explained together: enough that numpy is not called for every small tree."""


class Forest(Protocol):
    """Trees whose values add up to the model's raw score.

    Attributes:
        constant: (outputs,) what is added to them.
    """

    constant: Floats

    def tables(self) -> Iterator["NodeTable"]:
        """Yield the trees, one after the other."""

    def read(self, features: Any) -> npt.NDArray[np.floating[Any]]:  # noqa: ANN401 (a DataFrame, an array or a sparse matrix)
        """Return the features as the nodes' tests compare them, (rows, features)."""


@dataclass(frozen=True, slots=True)
class NodeTable:
    """The nodes of a tree, or of several.

    Attributes:
        left: (nodes,) where a row goes that passes the test, -1 at leaves.
        right: (nodes,) where the others go, -1 at leaves.
        feature: (nodes,) what the test looks at; anything at leaves.
        threshold: (nodes,) rows up to it pass.
        missing_left: (nodes,) whether rows without a value pass.
        cover: (nodes,) weight of the training rows.
        values: (nodes, outputs).
        categories: node → which codes pass, for tests on categories.
    """

    left: Places
    right: Places
    feature: Places
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    cover: Floats
    values: Floats
    categories: dict[int, npt.NDArray[np.bool_]]

    def passes(self, features: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]:
        """Return whether each row passes each node's test, (rows, nodes)."""
        feature = np.where(self.left >= 0, self.feature, 0)
        values = features[:, feature]
        missing = np.isnan(values)
        passed = np.asarray(values <= self.threshold)
        for node, codes in self.categories.items():
            known = ~missing[:, node]
            passed[known, node] = codes[values[known, node].astype(np.intp)]
        return np.where(missing, self.missing_left, passed)

    def trees(self, sources: Places) -> Trees:
        """Return what the paths are made of, with the columns that the features come from."""
        inner = self.left >= 0
        player = np.where(inner, sources[np.where(inner, self.feature, 0)], 0)
        return Trees(self.left, self.right, player, self.cover, self.values)


def join(tables: Sequence[NodeTable]) -> NodeTable:
    """Number the nodes of several trees through."""
    starts = np.cumsum([0, *(len(table.left) for table in tables)])

    def children(side: Callable[[NodeTable], Places]) -> Places:
        moved = [
            np.where(side(table) >= 0, side(table) + start, -1) for table, start in zip(tables, starts, strict=False)
        ]
        return np.concatenate(moved)

    return NodeTable(
        left=children(lambda table: table.left),
        right=children(lambda table: table.right),
        feature=np.concatenate([table.feature for table in tables]),
        threshold=np.concatenate([table.threshold for table in tables]),
        missing_left=np.concatenate([table.missing_left for table in tables]),
        cover=np.concatenate([table.cover for table in tables]),
        values=np.concatenate([table.values for table in tables]),
        categories={
            node + int(start): codes
            for table, start in zip(tables, starts, strict=False)
            for node, codes in table.categories.items()
        },
    )


def groups(tables: Iterator[NodeTable]) -> Iterator[NodeTable]:
    """Yield trees joined to groups of some size; a large tree is a group of its own."""
    waiting: list[NodeTable] = []
    nodes = 0
    for table in tables:
        if waiting and nodes + len(table.left) > NODES:
            yield join(waiting)
            waiting, nodes = [], 0
        waiting.append(table)
        nodes += len(table.left)
    if waiting:
        yield join(waiting)
