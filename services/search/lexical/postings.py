"""The postings of a query's terms, put together from rows that were read and from memory."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from psycopg.rows import DictRow

from services.search.lexical.blocks import Block, Blocks, read_block

JOINED = -1
"""In the place of a segment: the small rows of a term, of all segments."""
QUICK_POSTINGS = 1 << 16
"""Up to which they are read, and added up, in a few milliseconds and on the event loop."""


def is_known(row: DictRow, held: Mapping[str, Blocks]) -> bool:
    """Tell whether a row is in memory as it is now."""
    block = held.get(row["term"], {}).get(row["segment"])
    return block is not None and (block.added, block.removed) == (row["added"], row["removed"])


async def join_rows(rows: Sequence[DictRow], held: Mapping[str, Blocks], large: int) -> dict[str, Blocks]:
    """Return the blocks of the terms that some item has, ascending by term.

    Small rows of a term become one block: what is done with a block takes about as long for a few postings as for
    hundreds of them, and a term has a row in each of some ten segments.

    Args:
        rows: term, segment, added, removed, entries and dead of all postings of some terms, in any order; entries and
            dead may be NULL where the row is known.
        held: What is in memory of them.
        large: Postings from which a row stays a block of its own, by which it is known again.
    """
    fresh = [row for row in rows if not is_known(row, held)]
    if sum(row["added"] + row["removed"] for row in fresh) < QUICK_POSTINGS:
        read = _read_blocks(fresh, large)
    else:
        read = await asyncio.to_thread(_read_blocks, fresh, large)
    found: dict[str, Blocks] = {}
    for term, of_term in groupby(sorted(rows, key=itemgetter("term")), itemgetter("term")):
        former = held.get(term, {})
        known = {row["segment"]: former[row["segment"]] for row in of_term if is_known(row, held)}
        blocks = known | read.get(term, {})
        if sum(block.added - block.removed for block in blocks.values()) > 0:
            found[term] = blocks
    return found


def _read_blocks(rows: Sequence[DictRow], large: int) -> dict[str, dict[int, Block]]:
    """Return the blocks of rows, by term and segment."""
    read: dict[str, dict[int, Block]] = {}
    small: dict[str, list[DictRow]] = {}
    for row in rows:
        if row["added"] + row["removed"] < large:
            small.setdefault(row["term"], []).append(row)
        else:
            read.setdefault(row["term"], {})[row["segment"]] = _read([row])
    for term, of_term in small.items():
        read.setdefault(term, {})[JOINED] = _read(of_term)
    return read


def _read(rows: Sequence[DictRow]) -> Block:
    return read_block(
        sum(row["added"] for row in rows),
        sum(row["removed"] for row in rows),
        b"".join([row["entries"] for row in rows]),
        b"".join([row["dead"] for row in rows]),
    )
