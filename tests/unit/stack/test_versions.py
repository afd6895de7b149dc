from importlib.metadata import version
from pathlib import Path

from mlplatform.stack.versions import differences


class TestDifferences:
    def test_nothing_to_compare_with(self, tmp_path: Path) -> None:
        assert differences(tmp_path / "none.txt") is None

    def test_other_version_is_named_with_the_tested_one(self, tmp_path: Path) -> None:
        (tmp_path / "constraints.txt").write_text("psutil==0.0.1\n")
        assert differences(tmp_path / "constraints.txt") == [f"psutil is {version('psutil')}, tested with 0.0.1"]

    def test_build_of_the_same_version_is_no_difference(self, tmp_path: Path) -> None:
        (tmp_path / "constraints.txt").write_text(f"# pins\npsutil=={version('psutil')}+cpu\nnot-installed==1.0\n")
        assert differences(tmp_path / "constraints.txt") == []
