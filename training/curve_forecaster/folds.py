"""Which days are forecast, and what may be known before each block of them."""

from dataclasses import dataclass

import numpy as np
from mlplatform.training.failures import BadData

from dataset import INITIAL_SHARE


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive days from which forecasts are made by one fit.

    A fit for the block may know the rows up to `start`, the first that is forecast from, and nothing after it: a
    training sample counts only when its longest horizon ends there, which is an embargo of that horizon between the
    last day that is trained on and the first that is forecast from.

    Attributes:
        fold: Its number, from 1; 0 is the block before the first fold, from which only weights are learned.
        start: First row that is forecast from.
        stop: Row after the last.
    """

    fold: int
    start: int
    stop: int


def split(days: int, folds: int, longest: int) -> tuple[Block, ...]:
    """Cut the days after the initial ones into equal blocks in order of time.

    Args:
        days: Number of rows.
        folds: Blocks to score; one more, before them, is forecast for learning weights.
        longest: The longest horizon in days.

    Raises:
        BadData: The blocks would be shorter than the longest horizon.
    """
    edges = np.linspace(int(INITIAL_SHARE * days), days, folds + 2).astype(int)
    blocks = tuple(Block(fold, int(edges[fold]), int(edges[fold + 1])) for fold in range(folds + 1))
    shortest = min(block.stop - block.start for block in blocks)
    if shortest <= longest:
        raise BadData(
            f"{days} days make {folds} folds of {shortest} days, which do not reach {longest} days ahead: "
            "give more days, fewer --folds or nearer --horizons"
        )
    return blocks
