import pytest

from benchmarks.serving.options import PARTS, RESULTS, parse


class TestParse:
    def test_whole_run_is_kept(self):
        options = parse([])
        assert options.output == RESULTS
        assert set(options.parts) == set(PARTS)

    @pytest.mark.parametrize("arguments", [["--quick"], ["--only", "closed"], ["--contenders", "kserve*"]])
    def test_part_of_a_run_is_not_kept(self, arguments):
        assert parse(arguments).output is None

    def test_quick_changes_defaults_only(self):
        options = parse(["--quick", "--rounds", "2"])
        assert (options.rounds, options.seconds) == (2, 2)

    def test_single_version_cannot_be_swapped(self, capsys):
        with pytest.raises(SystemExit):
            parse(["--versions", "1"])
        assert "--versions" in capsys.readouterr().err
