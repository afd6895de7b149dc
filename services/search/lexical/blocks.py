"""What segments say of one term, and the blocks that are kept in memory.

The block of a row never changes: a write makes a new segment, a merge another one, and a purge leaves fewer postings in
a row. A tenant, a term, a segment and the numbers of postings name its content, so it needs to be read once. That of
several small rows holds for a version of the tenant's postings.
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
TERM_BYTES = 600
BLOCK_BYTES = 500
"""Of the objects around postings, about; a term takes its letters besides."""
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
"""Segment → what it says; those that say little together, in the place of one."""
Version = tuple[int, ...]
"""Of the postings of a tenant; every write, merge and purge makes another one."""


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


@dataclass(frozen=True, slots=True)
class _Held:
    """What a term had.

    Attributes:
        letters: Bytes of the term.
        version: Of the tenant's postings.
        blocks: All that the term had in it.
    """

    letters: int
    version: Version
    blocks: Blocks

    @property
    def size(self) -> int:
        """Bytes, with those of the objects around the postings."""
        return TERM_BYTES + self.letters + sum(BLOCK_BYTES + block.size for block in self.blocks.values())


class BlockMemory:
    """The blocks of the terms that were asked for last.

    Args:
        size: Most bytes.
    """

    def __init__(self, size: int) -> None:
        self._most = size
        self._terms: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self.size = 0

    def find(self, tenant: str, terms: Iterable[str]) -> dict[str, Blocks]:
        """Return what is known of some terms, which may be out of date."""
        found: dict[str, Blocks] = {}
        for term in terms:
            held = self._terms.get((tenant, term))
            if held is not None:
                self._terms.move_to_end((tenant, term))
                found[term] = held.blocks
        return found

    def current(self, tenant: str, terms: Iterable[str], version: Version) -> dict[str, Blocks] | None:
        """Return what some terms have in a version of the tenant's postings; None when that of any is not known."""
        found: dict[str, Blocks] = {}
        for term in terms:
            held = self._terms.get((tenant, term))
            if held is None or held.version != version:
                return None
            self._terms.move_to_end((tenant, term))
            found[term] = held.blocks
        return found

    def keep(self, tenant: str, term: str, blocks: Blocks, version: Version) -> None:
        """Keep all that a term has now, in place of what it had."""
        self._drop((tenant, term))
        held = _Held(len(term.encode()), version, blocks)
        if held.size <= self._most // LARGEST_SHARE:
            self._terms[tenant, term] = held
            self.size += held.size
        while self.size > self._most:
            self._drop(next(iter(self._terms)))

    def _drop(self, key: tuple[str, str]) -> None:
        held = self._terms.pop(key, None)
        if held is not None:
            self.size -= held.size
