"""What one segment says of one term, and the blocks that are kept in memory.

A block never changes: a write makes a new segment, a merge another one, and a purge leaves fewer postings in a row. A
tenant, a term, a segment and the numbers of postings name its content, so it needs to be read once.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TF_SHIFT = 18
NUMBER_SHIFT = 26
LENGTHS = (1 << TF_SHIFT) - 1
OCCURRENCES = (1 << (NUMBER_SHIFT - TF_SHIFT)) - 1
KEPT_POSTINGS = 512
"""Postings from which a block is kept; it takes longer to look after a smaller one than to read it."""

LARGEST_SHARE = 4
"""What is larger than the memory divided by this is not kept: it would drive out too much."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """Postings of a term.

    Attributes:
        added: How many there are.
        removed: How many items are no more.
        entries: Postings, ascending: number << 26 | occurrences << 18 | tokens of the item.
        dead: Numbers of items that are no more, whichever segment has their postings.
        most: Most occurrences in an item.
        shortest: Fewest tokens of an item.
    """

    added: int
    removed: int
    entries: Numbers
    dead: Numbers
    most: int
    shortest: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.entries.nbytes + self.dead.nbytes


Blocks = Mapping[int, Block]
"""Segment → what it says."""


def read_block(added: int, removed: int, entries: bytes, dead: bytes) -> Block:
    """Read a block from rows of 8 bytes, big-endian, in any order."""
    postings = _ascending(entries)
    return Block(
        added,
        removed,
        postings,
        _ascending(dead),
        most=int(((postings >> TF_SHIFT) & OCCURRENCES).max(initial=0)),
        shortest=int((postings & LENGTHS).min(initial=LENGTHS)),
    )


def _ascending(row: bytes) -> Numbers:
    numbers = np.frombuffer(row, ">i8").astype(np.int64)
    if np.any(numbers[1:] < numbers[:-1]):
        numbers.sort(kind="stable")  # merged runs, which that sorts in one pass or few
    numbers.flags.writeable = False
    return numbers


class BlockMemory:
    """The blocks that were read last, of terms with many postings.

    Args:
        size: Most bytes.
        smallest: Postings from which a block is kept.
    """

    def __init__(self, size: int, smallest: int = KEPT_POSTINGS) -> None:
        self._most = size
        self._smallest = smallest
        self._terms: OrderedDict[tuple[str, str], Blocks] = OrderedDict()
        self.size = 0

    def find(self, tenant: str, terms: Iterable[str]) -> dict[str, Blocks]:
        """Return what is known of some terms, which may be out of date."""
        found: dict[str, Blocks] = {}
        for term in terms:
            blocks = self._terms.get((tenant, term))
            if blocks is not None:
                self._terms.move_to_end((tenant, term))
                found[term] = blocks
        return found

    def keep(self, tenant: str, term: str, blocks: Blocks) -> None:
        """Keep what a term has now, in place of what it had."""
        kept = {segment: block for segment, block in blocks.items() if block.added + block.removed >= self._smallest}
        self._drop((tenant, term))
        if kept and _size(kept) <= self._most // LARGEST_SHARE:
            self._terms[tenant, term] = kept
            self.size += _size(kept)
        while self.size > self._most:
            self._drop(next(iter(self._terms)))

    def _drop(self, key: tuple[str, str]) -> None:
        self.size -= _size(self._terms.pop(key, {}))


def _size(blocks: Blocks) -> int:
    return sum(block.size for block in blocks.values())
