"""Ranges of CSV as blocks: a row that does not fit fails by itself, and never for its neighbours' sake."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.model_serving.batch.tables.csv_file import read_csv, read_header
from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.batch.tables.lines import LineScanner
from services.model_serving.batch.tables.ranges import Limits, cut_lines
from tests.unit.model_serving.batch.tables.signatures import columns, rows_of

ALL = ("x", "f", "n", "i", "b", "s", "t", "y")
CELLS = [
    *("", "1", "-2.5", "1e3", ".5", "1.", "+3", "0x10", " 4 ", "NaN", " nan", "inf", "1e999", "1e39", "NA", "null"),
    *("2.0", "2.5", "3000000000", "9223372036854775808", "true", "False", "TRUE", "tRue", "yes", "é", "\0", '5" pipe'),
    *('"1"', '"a,b"', '"a\nb"', '"a""b"', "2024-01-01", "2024-01-01T10:00:00", "2024-01-01T10:00:00Z", "1500-01-01"),
    *("QUJD", "QUJ", "1_0", "\u0661", "infinity", "0X1F", "-0x10", "1e", "--1", "1 2"),
]


def read(content: bytes, *names: str, header: str = "", limits: Limits | None = None) -> list[object]:
    """Read CSV in as many ranges as the limits say."""
    found: list[object] = []
    header_names = (header or ",".join(names)).split(",")
    limits = limits or Limits(1 << 20, 1 << 20, 1 << 20)
    for part in cut_lines([content], LineScanner(0, ","), limits):
        block = read_csv(content[part.start : part.stop], part.records, header_names, ",", columns(*names))
        assert block.rows == part.records
        found += rows_of(block)
    return found


class TestCuts:
    @settings(max_examples=300)
    @given(
        st.lists(st.lists(st.sampled_from(CELLS), min_size=2, max_size=3), max_size=6),
        st.lists(st.sampled_from(ALL), min_size=2, max_size=2, unique=True),
        st.integers(1, 3),
    )
    @example([["1", "2"], ["x", "2"], ["1", "2", "3"], ["3", "4"]], ["x", "n"], 1)
    def test_every_cut_of_a_file_gives_the_same_rows(
        self, rows: list[list[str]], names: list[str], records: int
    ) -> None:
        content = "".join(",".join(row) + "\n" for row in rows).encode()
        whole = read(content, *names)
        assert len(whole) == sum(any(row) or len(row) > 1 for row in rows)
        assert read(content, *names, limits=Limits(1 << 20, records, 1 << 20)) == whole


class TestRows:
    def test_ragged_rows_fail_alone(self) -> None:
        assert read(b"1,2\n3\n4,5,6\n7,8\n", "x", "n") == [
            {"x": 1.0, "n": 2},
            "has 1 values; the table has 2 columns",
            "has 3 values; the table has 2 columns",
            {"x": 7.0, "n": 8},
        ]

    def test_values_that_do_not_fit_name_their_column(self) -> None:
        assert read(b"1,2\nabc,2\n1,2.5\n1,\ninf,1\n", "x", "n") == [
            {"x": 1.0, "n": 2},
            "x: must be a number",
            "n: must be an integer",
            "n: must be an integer, and none may be missing",
            "x: must be finite and within the range of float64",
        ]

    def test_what_is_missing_is_nan_for_floats_and_text_stays_text(self) -> None:
        assert read(b",NA\nNA,\n", "x", "s") == [{"x": None, "s": "NA"}, {"x": None, "s": ""}]

    def test_text_that_is_not_utf_8_fails_alone(self) -> None:
        assert read(b"1,a\n2,\xff\n3,c\n", "x", "s") == [
            {"x": 1.0, "s": "a"},
            "s: must be text in UTF-8",
            {"x": 3.0, "s": "c"},
        ]

    def test_other_columns_are_passed_over_whatever_they_hold(self) -> None:
        assert read(b"\xff,1,zz\n", "x", header="id,x,id") == [{"x": 1.0}]


class TestHeader:
    def test_byte_order_mark_quotes_and_blank_lines(self) -> None:
        head = b'\xef\xbb\xbf\r\n"a ""b""",c\r\n1,2\r\n'
        header = read_header(head, ",", is_whole=True)
        assert header.names == ['a "b"', "c"]
        assert head[header.stop :] == b"1,2\r\n"

    def test_nothing_but_a_header(self) -> None:
        assert read_header(b"a;b", ";", is_whole=True).names == ["a", "b"]

    @pytest.mark.parametrize("head", [b"", b"\n\n", "a,b\n1,2\n".encode("utf-16"), b"\xff\xfe,b\n"])
    def test_what_has_none_is_refused(self, head: bytes) -> None:
        with pytest.raises(TableRefused):
            read_header(head, ",", is_whole=True)

    def test_a_line_that_does_not_end_is_refused(self) -> None:
        with pytest.raises(TableRefused, match="no line with the names"):
            read_header(b"x" * 100, ",", is_whole=False)

    def test_columns_that_lack_or_are_there_twice_are_named(self) -> None:
        with pytest.raises(TableRefused, match="lacks columns that the model takes: 'n'"):
            columns("x", "n").find(["x", "id"])
        with pytest.raises(TableRefused, match="twice: 'x'"):
            columns("x", "n").find(["x", "n", "x"])
