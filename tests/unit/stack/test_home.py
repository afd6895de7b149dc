import stat
from pathlib import Path

import pytest

from mlplatform.stack.errors import StackError
from mlplatform.stack.home import Home, find_home


class TestFindHome:
    def test_named_home_wins(self, tmp_path: Path) -> None:
        (tmp_path / ".mlp").mkdir()
        assert find_home({"ML_HOME": str(tmp_path / "other")}, tmp_path).root == tmp_path / "other"

    def test_home_above_is_found(self, tmp_path: Path) -> None:
        (tmp_path / ".mlp").mkdir()
        folder = tmp_path / "training" / "curves"
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").touch()
        assert find_home({}, folder).root == tmp_path / ".mlp"

    def test_first_home_is_beside_the_pyproject(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").touch()
        (tmp_path / "scripts").mkdir()
        assert find_home({}, tmp_path / "scripts").root == tmp_path / ".mlp"


class TestCreate:
    def test_folder_with_other_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "work").write_text("precious")
        with pytest.raises(StackError, match="holds other files"):
            Home(tmp_path).create()
        assert not Home(tmp_path).is_own

    def test_folder_that_was_made_is_its_own_also_the_second_time(self, tmp_path: Path) -> None:
        home = Home(tmp_path / ".mlp")
        home.create()
        home.create()
        assert home.is_own

    def test_folders_are_closed_to_others(self, tmp_path: Path) -> None:
        home = Home(tmp_path / ".mlp")
        home.create()
        for folder in (home.root, home.data, home.logs, home.run):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
