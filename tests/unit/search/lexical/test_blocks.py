"""Postings that are kept."""

import numpy as np
import pytest

from services.search.lexical.blocks import BLOCK_BYTES, TERM_BYTES, Block, BlockMemory, read_block

POSTING = 8
"""Bytes."""
ROOM = 100_000


def block(postings: int, dead: int = 0) -> Block:
    """Return a block as it comes from the database, the last posting first."""
    entries = b"".join((number << 26 | 1 << 18 | 7).to_bytes(POSTING, "big") for number in range(postings, 0, -1))
    return read_block(postings, dead, entries, b"".join(number.to_bytes(POSTING, "big") for number in range(dead)))


class TestReadBlock:
    def test_postings_are_in_ascending_order_and_cannot_be_changed(self) -> None:
        read = block(5)
        assert np.all(np.diff(read.entries) > 0)
        with pytest.raises(ValueError, match="read-only"):
            read.entries[0] = 1

    def test_the_most_occurrences_and_the_shortest_text_bound_the_scores(self) -> None:
        rows = [3 << 26 | 2 << 18 | 40, 9 << 26 | 5 << 18 | 11]
        read = read_block(2, 0, b"".join(row.to_bytes(POSTING, "big") for row in rows), b"")
        assert (read.most, read.shortest) == (5, 11)


class TestBlockMemory:
    def test_what_is_kept_is_found_for_its_tenant_only(self) -> None:
        memory = BlockMemory(ROOM)
        memory.keep("acme", "wing", {1: block(3)}, (1,))
        assert list(memory.find("acme", ["wing", "tail"])) == ["wing"]
        assert memory.find("other", ["wing"]) == {}

    def test_what_was_asked_for_longest_ago_goes_first(self) -> None:
        one = TERM_BYTES + 4 + BLOCK_BYTES + 4 * POSTING
        memory = BlockMemory(5 * one - 1)
        for term in ("wing", "tail", "nose", "fins"):
            memory.keep("acme", term, {1: block(4)}, (1,))
        memory.find("acme", ["wing"])
        memory.keep("acme", "flap", {1: block(4)}, (1,))
        assert set(memory.find("acme", ["wing", "tail", "nose", "fins", "flap"])) == {"wing", "nose", "fins", "flap"}
        assert memory.size == 4 * one

    def test_a_term_has_what_was_kept_last(self) -> None:
        memory = BlockMemory(ROOM)
        memory.keep("acme", "wing", {1: block(3), 2: block(4, dead=1)}, (1,))
        memory.keep("acme", "wing", {3: block(7)}, (2,))
        assert set(memory.find("acme", ["wing"])["wing"]) == {3}
        assert memory.size == TERM_BYTES + 4 + BLOCK_BYTES + 7 * POSTING

    def test_what_drives_out_too_much_is_not_kept(self) -> None:
        memory = BlockMemory(4 * (TERM_BYTES + 4 + BLOCK_BYTES + 3 * POSTING))
        memory.keep("acme", "wing", {1: block(3)}, (1,))
        memory.keep("acme", "tail", {1: block(4)}, (1,))
        assert list(memory.find("acme", ["wing", "tail"])) == ["wing"]

    def test_nothing_is_kept_where_there_is_no_room(self) -> None:
        memory = BlockMemory(0)
        memory.keep("acme", "wing", {}, (1,))
        assert memory.current("acme", ["wing"], (1,)) is None
        assert memory.size == 0

    def test_terms_are_current_when_all_are_known_in_the_version(self) -> None:
        memory = BlockMemory(ROOM)
        memory.keep("acme", "wing", {1: block(3)}, (1, 1))
        memory.keep("acme", "tail", {}, (1, 1))
        assert set(memory.current("acme", ["wing", "tail"], (1, 1)) or {}) == {"wing", "tail"}
        assert memory.current("acme", ["wing", "nose"], (1, 1)) is None
        assert memory.current("acme", ["wing"], (2, 1)) is None
        assert memory.current("other", ["wing"], (1, 1)) is None
