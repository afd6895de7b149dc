"""Exact Shapley values of trees, by the paths from root to leaf.

The value of a set of known columns is the tree's mean when a split on an unknown column sends a row both ways, in the
shares of the training data ("path-dependent TreeSHAP", Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9). For one
leaf that is its value times a product over the columns on its path: 1 or 0 for a known column that agrees with the path
or not, the share that goes its way for an unknown one. The Shapley value of a column is the integral over t from 0 to 1
of the product's derivative, when every column is known with probability t (Owen 1972, doi:10.1287/mnsc.18.5.64). The
integrand is a polynomial in t, so Gauss-Legendre quadrature with enough nodes gives the integral exactly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from services.model_serving.explanation.deadline import Deadline

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
CELLS = 100_000
"""Numbers of an intermediate result: what fits a processor's cache, and some ms between two looks at the deadline."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Some trees, their nodes numbered through.

    Attributes:
        left: (nodes,) the child for rows that pass the node's test, -1 at leaves.
        right: (nodes,) the other child, -1 at leaves.
        player: (nodes,) the column that the test is about.
        cover: (nodes,) weight of the training rows that came by.
        values: (nodes, outputs) what a row gets at its leaf.
    """

    left: Places
    right: Places
    player: Places
    cover: Floats
    values: Floats


class Paths:
    """The ways to the leaves of some trees.

    A step is a split on the way to a leaf. A slot is a column on the way to a leaf; several steps may be about it.
    """

    def __init__(self, trees: Trees, players: int) -> None:
        parent = np.full(len(trees.left), -1, dtype=np.intp)
        inner = np.flatnonzero(trees.left >= 0)
        for child in (trees.left, trees.right):
            parent[child[inner]] = inner
        leaves = np.flatnonzero(trees.left < 0)
        leaf, child = _climb(leaves, parent)
        node = parent[child]
        with np.errstate(invalid="ignore"):  # nobody came by: no share of nothing
            share = np.nan_to_num(trees.cover[child] / trees.cover[node])
        slot = leaf * players + trees.player[node]
        order = np.argsort(slot, kind="stable")
        slots, self._first_steps = np.unique(slot[order], return_index=True)
        self._node = node[order]
        self._goes_left = (trees.left[node] == child)[order]
        self._unknown = _reduce(np.multiply, share[order], self._first_steps)
        self._leaf, player = np.divmod(slots, players)
        on_way, self._first_slots = np.unique(self._leaf, return_index=True)
        self._way = np.repeat(np.arange(len(on_way)), np.diff(self._first_slots, append=len(slots)))
        values = trees.values[leaves]
        longest = int(np.diff(self._first_slots, append=len(slots)).max(initial=1))
        times, weights = np.polynomial.legendre.leggauss((longest + 1) // 2)
        self._times, self._weights = (times + 1) / 2, weights / 2
        self._spread = _spread(values[self._leaf], player, players)
        self._players = players
        shares = np.ones(len(leaves))
        shares[on_way] = _reduce(np.multiply, self._unknown, self._first_slots)
        self.base: Floats = shares @ values

    def contributions(self, passes: npt.NDArray[np.bool_], deadline: Deadline) -> Floats:
        """Return the Shapley values, (rows, players, outputs).

        Args:
            passes: (rows, nodes) whether a row passes a node's test, wherever it is.
            deadline: when to give up.

        Raises:
            DeadlineExceeded: it passed.
        """
        outputs = len(self.base)
        result = np.zeros((len(passes), self._players, outputs))
        rows = max(1, CELLS // max(1, len(self._node)))
        for start in range(0, len(passes) if len(self._node) else 0, rows):
            deadline.check()
            part = slice(start, start + rows)
            result[part] = self._part(passes[part]).reshape(-1, self._players, outputs)
        return result

    def _part(self, passes: npt.NDArray[np.bool_]) -> Floats:
        agrees = passes[:, self._node] == self._goes_left
        known = _reduce(np.logical_and, agrees, self._first_steps).astype(np.float64)
        integral, factor = np.zeros_like(known), np.empty_like(known)
        for time, weight in zip(self._times, self._weights, strict=True):
            np.multiply(known, time, out=factor)
            factor += self._unknown * (1 - time)
            product = _reduce(np.multiply, factor, self._first_slots) * weight
            # A factor of 0 is of a column that is 0 known and unknown: its own contribution is 0 as well.
            np.divide(product[:, self._way], factor, out=factor, where=factor > 0)
            integral += factor
        return np.asarray((integral * (known - self._unknown)) @ self._spread)


def _climb(leaves: Places, parent: Places) -> tuple[Places, Places]:
    """Return the steps from the leaves up: the position of the leaf, and the node that the step came to."""
    leaf, child = np.arange(len(leaves)), leaves
    found: list[tuple[Places, Places]] = []
    while len(child):
        below_root = parent[child] >= 0
        leaf, child = leaf[below_root], child[below_root]
        found.append((leaf, child))
        child = parent[child]
    return np.concatenate([step[0] for step in found]), np.concatenate([step[1] for step in found])


def _spread(values: Floats, player: Places, players: int) -> sparse.csr_array:
    """Return the matrix from slots to players and outputs: (slots, players * outputs)."""
    slots, outputs = values.shape
    columns = player[:, None] * outputs + np.arange(outputs)
    pointers = np.arange(0, slots * outputs + 1, outputs)
    return sparse.csr_array((values.ravel(), columns.ravel(), pointers), shape=(slots, players * outputs))


def _reduce(operation: np.ufunc, values: npt.NDArray[Any], firsts: Places) -> npt.NDArray[Any]:
    """Reduce runs along the last axis; `reduceat` refuses to reduce no runs."""
    return operation.reduceat(values, firsts, axis=-1) if len(firsts) else values[..., :0]
