"""Ranges of JSONL as blocks: lines that are wrong fail by themselves."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.model_serving.batch.tables.jsonl_file import read_jsonl
from services.model_serving.batch.tables.lines import LineScanner
from services.model_serving.batch.tables.ranges import Limits, cut_lines
from tests.unit.model_serving.batch.tables.signatures import columns, rows_of

VALUES = [
    *("1", "-2.5", "1e3", "1e999", "2.0", "01", "NaN", "Infinity", "null", "true", "9223372036854775808", "3000000000"),
    *('"text"', '"a\\nb"', '"\\ud800"', '"QUJD"', '"2024-01-01"', '"2024-01-01T10:00:00Z"', "[1]", '{"a":1}', "1e39"),
]
LINES = ["", "{}", "[1]", "7", "no", ' {"x": 1}', '{"x": 1} {"x": 2}', '{"x":', "2}", '{"x": 1, "x": "a"}']
lines = st.one_of(
    st.sampled_from(LINES),
    st.tuples(st.sampled_from("xfnibsty"), st.sampled_from(VALUES)).map(lambda pair: f'{{"{pair[0]}": {pair[1]}}}'),
)


def read(content: bytes, *names: str, records: int = 1 << 20) -> list[object]:
    found: list[object] = []
    for part in cut_lines([content], LineScanner(0, None), Limits(1 << 20, records, 1 << 20)):
        found += rows_of(read_jsonl(content[part.start : part.stop], part.records, columns(*names)))
    return found


class TestCuts:
    @settings(max_examples=300)
    @given(st.lists(lines, max_size=6), st.sampled_from("xfibsty"), st.integers(1, 3))
    @example(['{"x": 1} {"x": 2}', '{"x":', "2}"], "x", 1)
    @example(['{"x": 1}', '{"x": 1, "x": "a"}'], "x", 1)
    def test_every_cut_of_a_file_gives_the_same_rows(self, content: list[str], other: str, records: int) -> None:
        text = "".join(line + "\n" for line in content).encode()
        whole = read(text, "x", other) if other != "x" else read(text, "x")
        assert len(whole) == sum(line not in {"", "\r"} for line in content)
        assert (read(text, "x", other, records=records) if other != "x" else read(text, "x", records=records)) == whole


class TestRows:
    def test_lines_that_are_wrong_fail_alone(self) -> None:
        assert read(b'{"x": 1}\nno\n[2]\n{"x": "3"}\n{"x": true}\n{"x": 4, "id": {}}\n{}\n', "x") == [
            {"x": 1.0},
            "is not a JSON object",
            "is not a JSON object",
            "x: must be a number",
            "x: must be a number",
            {"x": 4.0},
            {"x": None},
        ]

    def test_whole_floats_are_integers(self) -> None:
        assert read(b'{"n": 2.0}\n{"n": 2.5}\n{"n": 9223372036854775808}\n{"n": null}\n', "n") == [
            {"n": 2},
            "n: must be an integer",
            "n: must be an integer",
            "n: must be an integer, and none may be missing",
        ]

    def test_an_object_over_two_lines_does_not_pass_for_two(self) -> None:
        assert read(b'{"x": 1} {"x": 2}\n{"x":\n2}\n', "x") == ["is not a JSON object"] * 3
