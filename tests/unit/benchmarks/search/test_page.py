"""The page in the repository is the one that the kept runs give."""

import orjson

from benchmarks.search import tables
from benchmarks.search.criteria import judge
from benchmarks.search.options import RESULTS
from benchmarks.search.page import NONE_KEPT, PAGE, render
from tests.unit.benchmarks.search.results import result


class TestPage:
    def test_is_up_to_date(self):
        kept = orjson.loads(RESULTS.read_bytes()) if RESULTS.is_file() else None
        assert PAGE.read_text(encoding="utf-8") == render(kept), "run `python -m benchmarks.search.page`"

    def test_says_that_nothing_was_kept(self):
        assert NONE_KEPT in render(None)

    def test_shows_targets_sizes_and_what_is_missing(self):
        given = result()
        given["targets"] = judge(given)
        given["sizes"]["1000000"]["problems"]["lancedb"] = "a log\nKilled"
        page = render(given)
        assert "| the same at 1,000,000 items | ≤ 150 ms | ≤ 60 ms | 58 ms | aim |" in page
        assert "## 10,000 items" in page
        assert "- lancedb, 1,000,000 items: Killed" in page
        given["sizes"]["10000"]["contenders"]["chroma"]["queries"]["vector"]["failed"] = 7
        assert "8.0 / 16.0 (7 failed)" in render(given)
        assert "chromadb 1.0" in page
        assert "pip 9" not in page

    def test_says_what_postgres_may_take_in_huge_pages(self):
        given = result()
        given["targets"] = judge(given)
        assert "huge pages" not in render(given).split("## Method")[0]
        given["sizes"]["10000"]["machine"]["huge_pages_mib"] = 3400
        assert "8 GiB, 3400 MiB of it huge pages, Python 3.11" in render(given)

    def test_store_without_words_has_no_hybrid_times(self):
        rows = {(row[0], row[1]): row[2:] for row in tables.growth(result())}
        assert rows["ml-platform", "hybrid"] == ["4.0 / 8.0", "7.0 / 14.0", "29.0 / 58.0"]
        assert ("chroma", "hybrid") not in rows
