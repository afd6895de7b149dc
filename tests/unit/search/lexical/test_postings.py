"""Rows of postings, joined to the blocks of a term."""

from typing import Any

import pytest

from services.search.lexical.blocks import Blocks
from services.search.lexical.postings import JOINED, join_rows

LARGE = 3
TEXT = 1 << 18 | 7
"""One occurrence in seven tokens."""


def row(
    segment: int, *numbers: int, dead: tuple[int, ...] = (), term: str = "yak", given: bool = True
) -> dict[str, Any]:
    """Return a row as it comes from the database, with or without its postings."""
    entries = b"".join((number << 26 | TEXT).to_bytes(8, "big") for number in numbers)
    gone = b"".join(number.to_bytes(8, "big") for number in dead)
    return {
        "term": term,
        "segment": segment,
        "added": len(numbers),
        "removed": len(dead),
        "entries": entries if given else None,
        "dead": gone if given else None,
    }


def numbers(blocks: Blocks) -> dict[int, list[int]]:
    """Return the items of each block."""
    return {segment: (block.entries >> 26).tolist() for segment, block in blocks.items()}


class TestSmallRows:
    async def test_are_one_block_with_all_that_they_say(self) -> None:
        found = await join_rows([row(9, 40, 41), row(2, 7, dead=(3,)), row(5, 20, dead=(9,))], {}, LARGE)

        assert numbers(found["yak"]) == {JOINED: [7, 20, 40, 41]}
        block = found["yak"][JOINED]
        assert (block.added, block.removed, block.dead.tolist()) == (4, 2, [3, 9])

    async def test_of_another_term_are_another_block(self) -> None:
        found = await join_rows([row(1, 7), row(1, 8, term="gnu"), row(2, 9)], {}, LARGE)

        assert {term: numbers(blocks) for term, blocks in found.items()} == {
            "gnu": {JOINED: [8]},
            "yak": {JOINED: [7, 9]},
        }

    async def test_are_read_again_each_time(self) -> None:
        held = await join_rows([row(1, 7), row(2, 9)], {}, LARGE)
        found = await join_rows([row(1, 7), row(3, 11)], held, LARGE)

        assert numbers(found["yak"]) == {JOINED: [7, 11]}


class TestLargeRows:
    async def test_stay_blocks_of_their_own_beside_the_small_ones(self) -> None:
        found = await join_rows([row(1, 7), row(2, 10, 11, 12), row(3, 20), row(4, 30, 31, dead=(7,))], {}, LARGE)

        assert numbers(found["yak"]) == {2: [10, 11, 12], 4: [30, 31], JOINED: [7, 20]}

    async def test_need_not_be_given_again(self) -> None:
        held = await join_rows([row(2, 10, 11, 12)], {}, LARGE)
        found = await join_rows([row(2, 10, 11, 12, given=False), row(3, 20)], held, LARGE)

        assert numbers(found["yak"]) == {2: [10, 11, 12], JOINED: [20]}
        assert found["yak"][2] is held["yak"][2]

    async def test_that_have_become_small_join_the_others(self) -> None:
        held = await join_rows([row(2, 10, 11, 12), row(3, 20)], {}, LARGE)
        found = await join_rows([row(2, 10, 12), row(3, 20)], held, LARGE)

        assert numbers(found["yak"]) == {JOINED: [10, 12, 20]}


@pytest.mark.parametrize("large", [1, LARGE])
async def test_a_term_that_no_item_has_any_more_is_left_out(large: int) -> None:
    assert await join_rows([row(1, 7), row(2, dead=(7,))], {}, large) == {}
