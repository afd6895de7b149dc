"""Examples divided into those that are trained on, those that calibrate, and those that measure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlplatform.training.calibration import Indices
from mlplatform.training.failures import BadData

FEWEST = 4
"""Examples of a class: two to train on, one to calibrate and one to measure."""
SHARE = 0.15
"""Of the examples that calibrate, and of those that measure."""


class Split(NamedTuple):
    """Places of the examples."""

    train: Indices
    calibration: Indices
    test: Indices


def split(targets: Indices, labels: Sequence[str], seed: int) -> Split:
    """Divide examples so that each part has some of every class.

    Args:
        targets: Class of each example.
        labels: Names of the classes.
        seed: Decides which go where.

    Raises:
        BadData: There is one class only, or a class has too few examples.
    """
    if len(labels) < 2:  # noqa: PLR2004 (one class is nothing to tell apart)
        raise BadData("there is only one class; a classifier needs two to tell apart")
    chance = np.random.default_rng(seed)
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    for number, label in enumerate(labels):
        places = np.flatnonzero(targets == number)
        if len(places) < FEWEST:
            raise BadData(f"class {label!r} has {len(places)} examples; at least {FEWEST} are needed")
        chance.shuffle(places)
        held = max(1, round(SHARE * len(places)))
        for part, found in zip(parts, (places[2 * held :], places[:held], places[held : 2 * held]), strict=True):
            part.append(found)
    train, calibration, test = (np.sort(np.concatenate(part)) for part in parts)
    return Split(train, calibration, test)
