"""The page in the repository is the one that the kept runs give."""

from benchmarks.embedding import tables
from benchmarks.embedding.criteria import judge
from benchmarks.embedding.page import NONE_KEPT, PAGE, read_kept, render
from tests.unit.benchmarks.embedding.results import result


class TestPage:
    def test_is_up_to_date(self):
        assert PAGE.read_text(encoding="utf-8") == render(read_kept()), "run `python -m benchmarks.embedding.page`"

    def test_says_that_nothing_was_kept(self):
        assert NONE_KEPT in render([])

    def test_shows_each_collection_beside_the_others(self):
        first, second = result(), result()
        second |= {"collection": "cisi", "padded_per_token": 1.3, "ladder": []}
        page = render([run | {"targets": judge(run)} for run in (first, second)])
        assert "| padded to real tokens | ≤ 1.25 | ≤ 1.1 | 1.08: aim |  | 1.3: **no** |  |" in page
        assert "## cranfield" in page
        assert "## cisi" in page
        assert page.count("Backends on this collection, without HTTP") == 1
        assert "ml-platform: torch 2.13.0; infinity: infinity-emb 0.0.77." in page


class TestContenders:
    def test_everybody_has_a_row_and_so_has_who_is_missing(self):
        rows = {row[0]: row[1:] for row in tables.contenders(result())}
        assert rows["infinity int8"][1:3] == ["100.0", "5.00x"]
        assert rows["infinity onnx"][0] == "does not run: Killed"
        assert all(len(row) == len(tables.CONTENDERS) - 1 for row in rows.values())
