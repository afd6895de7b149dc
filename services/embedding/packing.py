"""Which texts are encoded together."""

from collections.abc import Sequence


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group texts of about the same length, so that little is computed on padding.

    Every batch costs its longest text times its size, as all rows are padded to the longest. The texts are taken from
    the shortest to the longest; a batch is closed before that cost passes the budget.

    Args:
        lengths: Tokens of each text.
        budget: Most tokens of a batch, padding included. A text longer than that has a batch of its own.

    Returns:
        Positions in `lengths`, each exactly once.
    """
    batches: list[list[int]] = []
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[position] * (len(batch) + 1) > budget:
            batches.append(batch)
            batch = []
        batch.append(position)
    if batch:
        batches.append(batch)
    return batches
