"""Items put together for a call of a model, so that what is padded or held in memory stays small."""

from collections.abc import Sequence


def pack(sizes: Sequence[int], budget: int, most: int) -> list[list[int]]:
    """Divide items into batches, like sizes together, since all of a batch are padded to its largest.

    Args:
        sizes: Of each item: characters, or pixels.
        budget: Most of a batch, as its largest size times its count; a larger item is a batch by itself.
        most: Items of a batch.

    Returns:
        Places of the items of each batch.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(sizes)), key=lambda place: sizes[place]):
        last = batches[-1] if batches else None
        if last is not None and len(last) < most and max(1, sizes[place]) * (len(last) + 1) <= budget:
            last.append(place)
        else:
            batches.append([place])
    return batches
