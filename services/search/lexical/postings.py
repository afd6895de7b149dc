"""The postings of a query's terms, put together from rows that were read and from memory."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from psycopg.rows import DictRow

from services.search.lexical.blocks import Block, Blocks, read_block

QUICK_POSTINGS = 1 << 16
"""Up to which they are read, and added up, in a few milliseconds and on the event loop."""


def is_known(row: DictRow, held: Mapping[str, Blocks]) -> bool:
    """Tell whether a row is in memory as it is now."""
    block = held.get(row["term"], {}).get(row["segment"])
    return block is not None and (block.added, block.removed) == (row["added"], row["removed"])


async def join_rows(rows: Sequence[DictRow], held: Mapping[str, Blocks]) -> dict[str, Blocks]:
    """Return the blocks of the terms that some item has, ascending by term and segment.

    Args:
        rows: term, segment, added, removed, entries and dead of all postings of some terms, in any order; entries and
            dead may be NULL where the row is known.
        held: What is in memory of them.
    """
    fresh = [row for row in rows if not is_known(row, held)]
    if sum(row["added"] + row["removed"] for row in fresh) < QUICK_POSTINGS:
        read = _read_blocks(fresh)
    else:
        read = await asyncio.to_thread(_read_blocks, fresh)
    found: dict[str, Blocks] = {}
    for term, of_term in groupby(sorted(rows, key=itemgetter("term", "segment")), itemgetter("term")):
        former = held.get(term, {})
        blocks = {row["segment"]: read.get((term, row["segment"])) or former[row["segment"]] for row in of_term}
        if sum(block.added - block.removed for block in blocks.values()) > 0:
            found[term] = blocks
    return found


def _read_blocks(rows: Sequence[DictRow]) -> dict[tuple[str, int], Block]:
    return {
        (row["term"], row["segment"]): read_block(row["added"], row["removed"], row["entries"], row["dead"])
        for row in rows
    }
