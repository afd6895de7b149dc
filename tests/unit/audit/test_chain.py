"""The chain holds, and whoever touches it is found."""

from dataclasses import replace

import pytest

from mlplatform.audit.chain import GENESIS, Break, ChainCheck, Head, Link, hash_of


def chain(*texts: str) -> list[Link]:
    links, previous = [], GENESIS
    for number, text in enumerate(texts, start=1):
        links.append(Link(number, text, previous, hash_of(previous, text)))
        previous = links[-1].hash
    return links


def head_of(links: list[Link]) -> Head:
    return Head(links[-1].id, links[-1].hash)


def check(links: list[Link], expected: Head, witness: Head | None = None) -> Break | None:
    follower = ChainCheck(witness)
    return follower.follow(links) or follower.finish(expected)


LINKS = chain("a", "b", "c")


class TestCheck:
    def test_whole_chain(self) -> None:
        assert check(LINKS, head_of(LINKS)) is None

    def test_empty_chain(self) -> None:
        assert check([], Head(0, GENESIS)) is None

    def test_pages(self) -> None:
        follower = ChainCheck()

        assert [follower.follow(LINKS[:2]), follower.follow(LINKS[2:])] == [None, None]
        assert follower.finish(head_of(LINKS)) is None

    @pytest.mark.parametrize(
        ("links", "found"),
        [
            (
                [LINKS[0], replace(LINKS[1], canonical="B"), LINKS[2]],
                Break(2, "event 2 was changed after it was written"),
            ),
            ([LINKS[0], LINKS[2]], Break(2, "event 2 is missing")),
            (LINKS[1:], Break(1, "event 1 is missing")),
            ([LINKS[0], LINKS[2], LINKS[1]], Break(2, "event 2 is missing")),
            ([LINKS[0], chain("x", "y")[1], LINKS[2]], Break(2, "event 2 does not follow event 1")),
            (LINKS[:1], Break(2, "events 2 to 3 were cut off")),
            ([], Break(1, "events 1 to 3 were cut off")),
        ],
        ids=["changed", "removed", "start removed", "reordered", "replaced", "tail cut", "emptied"],
    )
    def test_touched_chain(self, links: list[Link], found: Break) -> None:
        assert check(links, head_of(LINKS)) == found

    def test_event_that_the_head_does_not_know(self) -> None:
        found = check(LINKS, head_of(LINKS[:2]))

        assert found is not None
        assert "is not the last event" in found.reason

    def test_head_that_was_removed(self) -> None:
        assert check(LINKS, Head(-1, b"")) is not None


class TestWitness:
    def test_chain_that_grew(self) -> None:
        assert check(LINKS, head_of(LINKS), witness=head_of(LINKS[:2])) is None

    def test_chain_that_was_rewritten_as_a_whole(self) -> None:
        rewritten = chain("a", "x", "c")

        found = check(rewritten, head_of(rewritten), witness=head_of(LINKS[:2]))

        assert found == Break(2, f"event 2 is not the one that was noted as {head_of(LINKS[:2])}")

    def test_chain_that_was_cut_with_its_head(self) -> None:
        found = check(LINKS[:1], head_of(LINKS[:1]), witness=head_of(LINKS))

        assert found == Break(2, "events 2 to 3 were cut off")


class TestHead:
    def test_text_and_back(self) -> None:
        assert Head.parse(str(head_of(LINKS))) == head_of(LINKS)

    @pytest.mark.parametrize("text", ["", "3", "3:", "3:zz", f"-1:{'0' * 64}", f"3:{'0' * 62}", f"x:{'0' * 64}"])
    def test_no_head(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            Head.parse(text)
