"""The page in the repository is the one that the kept run gives."""

import orjson

from benchmarks.serving.options import RESULTS
from benchmarks.serving.page import NONE_KEPT, PAGE, render, table


class TestPage:
    def test_is_up_to_date(self):
        result = orjson.loads(RESULTS.read_bytes()) if RESULTS.is_file() else None
        assert PAGE.read_text(encoding="utf-8") == render(result), "run `python -m benchmarks.serving.page`"

    def test_says_that_nothing_was_kept(self):
        assert NONE_KEPT in render(None)


class TestTable:
    def test_markdown(self):
        assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
