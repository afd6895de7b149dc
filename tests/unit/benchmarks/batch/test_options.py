from pathlib import Path

from benchmarks.batch.options import PARTS, RESULTS, parse


class TestParse:
    def test_a_whole_run_is_kept(self):
        assert parse([]).output == RESULTS

    def test_a_quick_or_partial_run_is_not_kept_unless_told_where(self):
        assert parse(["--quick"]).output is None
        assert parse(["--parts", "first"]).output is None
        assert parse(["--quick", "--output", "here.json"]).output == Path("here.json")

    def test_quick_changes_defaults_only(self):
        found = parse(["--quick", "--rows", "7"])
        assert (found.rows, found.rounds, found.parts) == (7, 2, PARTS)
