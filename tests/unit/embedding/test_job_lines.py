import pytest

from services.embedding.jobs.lines import CHUNK_LINES, LINE_BYTES, Line, read_chunk


def read(content: bytes, *, first: int = 0, last: bool = True, skipping: bool = False):
    return read_chunk(content, first=first, last=last, skipping=skipping, characters=100)


class TestReadChunk:
    def test_a_line_is_a_text_or_an_object(self):
        chunk = read(b'"one"\n{"text": "two", "id": 7, "more": null}\r\n{"id": "c", "text": "three"}')

        assert chunk.lines == [Line(1, "one"), Line(2, "two", 7), Line(3, "three", "c")]
        assert (chunk.count, chunk.skipping) == (3, False)

    def test_blank_lines_are_counted_and_have_no_answer(self):
        chunk = read(b'\n  \n"one"\n\n', first=10)

        assert chunk.lines == [Line(13, "one")]
        assert (chunk.count, chunk.size) == (4, 11)

    @pytest.mark.parametrize(
        "line",
        [
            b"{",
            b'"\xff"',
            b'"\\ud800"',
            b"7",
            b"null",
            b"[]",
            b"{}",
            b'{"text": 7}',
            b'{"text": ""}',
            b'{"text": " \\u0000"}',
            b'{"text": "a", "id": []}',
            b'{"text": "a", "id": true}',
            b'"' + b"x" * 101 + b'"',
        ],
    )
    def test_a_wrong_line_is_wrong_alone(self, line):
        chunk = read(b'"good"\n' + line + b'\n"good"\n')

        assert [found.error is None for found in chunk.lines] == [True, False, True]
        assert [found.text for found in chunk.lines] == ["good", "", "good"]

    def test_a_line_that_is_not_all_there_comes_with_the_next_chunk(self):
        content = b'"one"\n"two"\n"three'
        first = read(content, last=False)
        second = read(content[first.size :] + b'"', first=first.count)

        assert [line.text for line in first.lines] == ["one", "two"]
        assert second.lines == [Line(3, "three")]

    def test_a_chunk_ends_after_so_many_lines(self):
        content = b'"a"\n' * (CHUNK_LINES + 1)
        first = read(content)

        assert (first.count, first.size) == (CHUNK_LINES, 4 * CHUNK_LINES)

    def test_a_line_that_is_too_long_is_told_once_and_passed_over(self):
        first = read(b"x" * LINE_BYTES, first=4, last=False)
        second = read(b"x" * LINE_BYTES, first=5, last=False, skipping=first.skipping)
        third = read(b'xx\n"next"\n', first=5, skipping=second.skipping)

        assert [(line.number, line.error is None) for line in first.lines] == [(5, False)]
        assert (second.lines, second.count, second.skipping) == ([], 0, True)
        assert third.lines == [Line(6, "next")]

    def test_the_end_of_a_line_that_is_too_long_may_be_the_end_of_all(self):
        chunk = read(b"xx", first=5, skipping=True)

        assert (chunk.lines, chunk.count, chunk.size, chunk.skipping) == ([], 0, 2, False)
