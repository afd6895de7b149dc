import pytest

from benchmarks.search.cells import CELLS, queries_of
from benchmarks.search.options import CONTENDERS, RESULTS, parse


class TestParse:
    def test_whole_run_is_kept(self):
        options = parse([])
        assert options.output == RESULTS
        assert options.contenders == CONTENDERS

    def test_any_size_is_kept(self):
        options = parse(["--items", "1000000"])
        assert (options.items, options.output) == ((1_000_000,), RESULTS)

    @pytest.mark.parametrize("arguments", [["--quick"], ["--contenders", "lance*"]])
    def test_part_of_a_run_is_not_kept(self, arguments):
        assert parse(arguments).output is None

    def test_quick_changes_defaults_only(self):
        options = parse(["--quick", "--queries", "7"])
        assert (options.queries, options.items) == (7, (2000,))

    def test_contenders_by_pattern(self):
        assert parse(["--contenders", "*db", "ml-*"]).contenders == ("ml-platform", "lancedb")

    @pytest.mark.parametrize("arguments", [["--contenders", "nobody"], ["--items", "10"]])
    def test_refused(self, arguments, capsys):
        with pytest.raises(SystemExit):
            parse(arguments)
        assert arguments[0] in capsys.readouterr().err


class TestQueriesOf:
    def test_no_query_is_asked_in_two_cells(self):
        queries = [str(number) for number in range(5 * len(CELLS))]
        parts = [queries_of(cell, queries) for cell in CELLS]
        assert {len(part) for part in parts} == {5}
        assert sorted(query for part in parts for query in part) == sorted(queries)
