"""Which texts are encoded together."""

from collections.abc import Sequence

import numpy as np

from services.embedding.encoding.shapes import ANY, Shapes

BATCH_COST = 48
"""What a batch costs besides its tokens, in tokens: starting a batch takes as long as computing about so many."""


def pack(lengths: Sequence[int], budget: int, shapes: Shapes = ANY) -> list[list[int]]:
    """Group texts of about the same length, so that little is computed on padding.

    Every batch costs its longest text times its size, as all rows are padded to the longest, and `BATCH_COST`. Of all
    ways to cut the texts, sorted by length, into batches of the sizes that there are, within the budget, this is one
    that costs least. It is found by going through the texts from the shortest to the longest: the best way to cut the
    first n is the best way to cut some fewer, and one batch of the rest.

    Args:
        lengths: Tokens of each text.
        budget: Most tokens of a batch, padding included. A text longer than that has a batch of its own.
        shapes: The lengths that texts are padded to, and the sizes of batches.

    Returns:
        Positions in `lengths`, each exactly once, the shortest texts first.
    """
    if len(lengths) == 1:
        return [[0]]
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    cost = np.zeros(len(order) + 1)
    start = [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        width = shapes.length(lengths[order[end - 1]])
        sizes = shapes.sizes(min(max(budget // width, 1), end))
        ways = cost[end - sizes] + width * sizes
        best = int(ways.argmin())
        cost[end] = ways[best] + BATCH_COST
        start[end] = end - int(sizes[best])
    batches: list[list[int]] = []
    end = len(order)
    while end:
        batches.append(order[start[end] : end])
        end = start[end]
    return batches[::-1]
