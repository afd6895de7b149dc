"""Which batches a backend computes, by their length and size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LENGTHS_PER_DOUBLING = 8


@dataclass(frozen=True, slots=True)
class Shapes:
    """The lengths and sizes that batches have.

    A library that compiles each shape keeps what it compiled: OpenVINO was seen to take 4 MB and ten milliseconds for
    each of the thousand shapes that the default model's texts can have. Where shapes are `few`, there are eight lengths
    and two sizes between a power of two and the next.

    Attributes:
        step: Lengths are multiples of it.
        few: Whether long texts share lengths, and batches have few sizes.
    """

    step: int = 1
    few: bool = False

    def length(self, tokens: int) -> int:
        """Return the tokens that a text of so many is padded to, at least 1."""
        longest = max(tokens, 1)
        step = max(self.step, 2 ** (longest - 1).bit_length() // LENGTHS_PER_DOUBLING // 2) if self.few else self.step
        return -(-longest // step) * step

    def sizes(self, most: int) -> NDArray[np.int64]:
        """Return how many texts a batch may have, ascending, from 1 to at most `most`."""
        if not self.few:
            return np.arange(1, most + 1)
        return _few_sizes(most)

    def within(self, budget: int, longest: int) -> Iterator[tuple[int, int]]:
        """Go through all shapes, `(texts, tokens)`.

        Args:
            budget: Most tokens of a batch, padding included.
            longest: Most tokens of a text.
        """
        length = 0
        while length < longest:
            length = self.length(length + 1)
            for size in self.sizes(max(budget // length, 1)):
                yield int(size), min(length, longest)


@lru_cache(maxsize=4096)
def _few_sizes(most: int) -> NDArray[np.int64]:
    powers = 2 ** np.arange(most.bit_length())
    sizes = np.union1d(powers, 3 * powers // 2)
    few = sizes[sizes <= most]
    few.setflags(write=False)
    return few


ANY = Shapes()
"""Of libraries that compile nothing."""
