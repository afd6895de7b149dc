"""However a file is cut, its records are the ones that pyarrow reads in it as a whole."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.model_serving.batch.tables.lines import LineScanner
from services.model_serving.batch.tables.ranges import Limits, LineRange, cut_lines

WIDE = Limits(size=1 << 20, records=1 << 20, longest=1 << 20)


def blocks_of(content: bytes, size: int) -> Iterator[bytes]:
    return (content[start : start + size] for start in range(0, len(content), size))


def ranges_of(
    content: bytes, *, block: int = 7, limits: Limits = WIDE, delimiter: str | None = ",", start: int = 0
) -> list[LineRange]:
    return list(cut_lines(blocks_of(content[start:], block), LineScanner(start, delimiter), limits))


def records_in(content: bytes) -> list[list[str]]:
    """Return what pyarrow makes of CSV, ragged rows included."""
    ragged: dict[int, list[str]] = {}

    def note(row: pc.InvalidRow) -> str:
        ragged[row.number - 1] = [row.text]
        return "skip"

    if not content.strip(b"\r\n"):
        return []
    table = pc.read_csv(
        io.BytesIO(content),
        read_options=pc.ReadOptions(column_names=["a", "b"], use_threads=False, block_size=len(content) + 1),
        parse_options=pc.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
        convert_options=pc.ConvertOptions(column_types={"a": pa.binary(), "b": pa.binary()}, strings_can_be_null=False),
    )
    rows = [[row["a"], row["b"]] for row in table.to_pylist()]
    for number in sorted(ragged):
        rows.insert(number, ragged[number])
    return rows


text = st.text(st.sampled_from('"",\n\r1x'), max_size=40).map(str.encode)


class TestCsv:
    @settings(max_examples=500)
    @given(text, st.integers(1, 9), st.integers(1, 12), st.integers(1, 4))
    @example(b'1,5" pipe\n2,"a\n"\n', 3, 1, 1)
    @example(b'"a""\n",1\r\n\r\n2,3\r', 1, 1, 1)
    def test_every_cut_gives_the_same_rows(self, content: bytes, block: int, size: int, records: int) -> None:
        found = ranges_of(content, block=block, limits=Limits(size, records, 1 << 20))
        whole = records_in(content)
        assert sum(one.records for one in found) == len(whole)
        assert [row for one in found for row in records_in(content[one.start : one.stop])] == whole
        for one in found:
            assert len(records_in(content[one.start : one.stop])) == one.records

    @given(text, st.integers(1, 9), st.integers(1, 12), st.integers(1, 4))
    def test_ranges_follow_each_other_and_are_no_larger_than_they_may_be(
        self, content: bytes, block: int, size: int, records: int
    ) -> None:
        last, first = 0, 0
        for one in ranges_of(content, block=block, limits=Limits(size, records, 1 << 20)):
            assert one.start >= last
            assert one.first == first
            assert 1 <= one.records <= records
            assert one.stop - one.start <= size or one.records == 1
            last, first = one.stop, first + one.records

    @given(text, st.integers(1, 9))
    def test_blocks_do_not_matter(self, content: bytes, block: int) -> None:
        assert ranges_of(content, block=block) == ranges_of(content, block=1000)

    def test_a_record_that_is_too_long_is_by_itself(self) -> None:
        content = b"1,2\n" + b"x" * 50 + b"\n3,4\n5,6\n"
        found = ranges_of(content, limits=Limits(100, 100, 20))
        assert [(one.start, one.stop, one.first, one.records, one.too_long) for one in found] == [
            (0, 4, 0, 1, False),
            (4, 55, 1, 1, True),
            (55, 63, 2, 2, False),
        ]

    def test_a_quote_that_is_never_closed_makes_one_record_of_the_rest(self) -> None:
        content = b'1,2\n3,"4\n' + b"5,6\n" * 20
        found = ranges_of(content, limits=Limits(100, 100, 20))
        assert [(one.records, one.too_long) for one in found] == [(1, False), (1, True)]

    def test_blank_lines_between_records_are_in_no_range(self) -> None:
        content = b"1,2\n" + b"\n" * 1000 + b"3,4\n"
        found = ranges_of(content, limits=Limits(10, 10, 20))
        assert [content[one.start : one.stop] for one in found] == [b"1,2\n", b"3,4\n"]

    @pytest.mark.parametrize("delimiter", [";", "\t", "|"])
    def test_quotes_open_behind_the_delimiter_that_is_used(self, delimiter: str) -> None:
        content = f'1{delimiter}"a\nb"\n2{delimiter}c\n'.encode()
        assert ranges_of(content, delimiter=delimiter)[0].records == 2


class TestJsonl:
    @given(st.text(st.sampled_from('{}",\n\r1'), max_size=40).map(str.encode), st.integers(1, 9), st.integers(1, 9))
    def test_every_newline_ends_a_record(self, content: bytes, block: int, size: int) -> None:
        found = ranges_of(content, block=block, delimiter=None, limits=Limits(size, 100, 1 << 20))
        lines = [line for line in content.split(b"\n") if line not in {b"", b"\r"}]
        assert sum(one.records for one in found) == len(lines)
