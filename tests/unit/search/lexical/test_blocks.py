"""Postings that are kept."""

import numpy as np
import pytest

from services.search.lexical.blocks import Block, BlockMemory, read_block

POSTING = 8
"""Bytes."""


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
        memory = BlockMemory(1000, smallest=1)
        memory.keep("acme", "wing", {1: block(3)})
        assert list(memory.find("acme", ["wing", "tail"])) == ["wing"]
        assert memory.find("other", ["wing"]) == {}

    def test_what_was_asked_for_longest_ago_goes_first(self) -> None:
        memory = BlockMemory(17 * POSTING, smallest=1)
        for term in ("wing", "tail", "nose", "rotor"):
            memory.keep("acme", term, {1: block(4)})
        memory.find("acme", ["wing"])
        memory.keep("acme", "flap", {1: block(4)})
        assert set(memory.find("acme", ["wing", "tail", "nose", "rotor", "flap"])) == {"wing", "nose", "rotor", "flap"}
        assert memory.size == 16 * POSTING

    def test_a_term_has_what_was_kept_last(self) -> None:
        memory = BlockMemory(1000, smallest=1)
        memory.keep("acme", "wing", {1: block(3), 2: block(4, dead=1)})
        memory.keep("acme", "wing", {3: block(7)})
        assert set(memory.find("acme", ["wing"])["wing"]) == {3}
        assert memory.size == 7 * POSTING

    def test_small_blocks_and_those_that_drive_out_too_much_are_not_kept(self) -> None:
        memory = BlockMemory(40 * POSTING, smallest=4)
        memory.keep("acme", "wing", {1: block(3)})
        memory.keep("acme", "tail", {1: block(11)})
        assert memory.find("acme", ["wing", "tail"]) == {}
        assert memory.size == 0
