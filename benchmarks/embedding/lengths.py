"""Texts of mixed lengths: what callers embed is a title, a question, a paragraph or a page."""

import math
from collections.abc import Sequence

import numpy as np

SHORTEST = 4
"""Words."""


def cut(texts: Sequence[str], seed: int) -> list[str]:
    """Return the beginnings of texts, whose numbers of words are spread evenly on a scale of logarithms.

    Args:
        texts: Whole documents.
        seed: Of the lengths; who gives the same texts and seed gets the same.

    Returns:
        Between `SHORTEST` words and all of each text, or all of a shorter one.
    """
    chance = np.random.default_rng(seed)
    beginnings = []
    for text in texts:
        words = text.split()
        longest = max(len(words), SHORTEST)
        kept = round(math.exp(chance.uniform(math.log(SHORTEST), math.log(longest))))
        beginnings.append(" ".join(words[:kept]))
    return beginnings
