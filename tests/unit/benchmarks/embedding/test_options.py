from pathlib import Path

import pytest

from benchmarks.embedding.options import RESULTS, parse


class TestParse:
    def test_several_collections_are_one_run(self):
        options = parse(["--data", "cranfield", "cisi"])
        assert options.data == (Path("cranfield"), Path("cisi"))
        assert options.kept

    def test_figures_written_elsewhere_are_not_those_of_the_page(self, tmp_path):
        options = parse(["--data", "cranfield", "--output", str(tmp_path)])
        assert not options.kept
        assert options.output != RESULTS

    def test_a_collection_is_needed(self, capsys):
        with pytest.raises(SystemExit):
            parse([])
        assert "--data" in capsys.readouterr().err

    def test_each_backend_is_measured_unless_it_is_left_out(self):
        assert parse(["--data", "cranfield"]).ladder
        assert not parse(["--data", "cranfield", "--no-ladder"]).ladder
