import pytest

from services.search.bulk.lines import Line, LineSplitter


def split(chunks: list[bytes], limit: int = 10) -> list[Line]:
    splitter = LineSplitter(limit)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + list(splitter.end())


class TestLineSplitter:
    @pytest.mark.parametrize(
        "chunks", [[b"one\ntwo\n"], [b"one", b"\ntwo", b"\n"], [b"o", b"n", b"e", b"\n", b"t", b"w", b"o\n"]]
    )
    def test_lines_are_the_same_however_they_are_cut(self, chunks):
        assert split(chunks) == [Line(1, b"one"), Line(2, b"two")]

    def test_the_last_line_needs_no_line_feed(self):
        assert split([b"one\ntwo"]) == [Line(1, b"one"), Line(2, b"two")]

    def test_empty_lines_count(self):
        assert split([b"\n\none\n"]) == [Line(1, b""), Line(2, b""), Line(3, b"one")]

    def test_a_line_of_the_limit_is_kept_and_a_longer_one_is_not(self):
        assert split([b"0123456789\n01234567890\nnext\n"]) == [Line(1, b"0123456789"), Line(2, None), Line(3, b"next")]

    def test_nothing_is_held_of_a_line_that_goes_on_and_on(self):
        splitter = LineSplitter(10)
        for _ in range(100):
            assert list(splitter.feed(b"x" * 1000)) == []
            assert splitter._parts == []
        assert list(splitter.feed(b"\nnext\n")) == [Line(1, None), Line(2, b"next")]

    def test_a_byte_order_mark_is_no_part_of_the_first_line(self):
        assert split([b"\xef\xbb\xbf", b"one\n\xef\xbb\xbf2\n"]) == [Line(1, b"one"), Line(2, b"\xef\xbb\xbf2")]

    def test_nothing_is_no_line(self):
        assert split([]) == []
        assert split([b""]) == []
