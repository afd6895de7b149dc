from pathlib import Path

import pytest

from mlplatform.stack.errors import StackError
from mlplatform.stack.home import Home
from mlplatform.stack.supervisor import LONGEST_SOCKET, Supervisor, choose_socket, forget_socket

DEEP = Home(Path("/deep", *["folder"] * 20, ".mlp"))


class TestChooseSocket:
    def test_socket_is_in_the_home(self) -> None:
        assert choose_socket(Home(Path("/short/.mlp")), "") == Path("/short/.mlp/run/supervisor.sock")

    def test_deep_home_gets_a_short_path_of_its_own(self) -> None:
        other = Home(Path("/deep", *["folder"] * 21, ".mlp"))
        assert len(str(choose_socket(DEEP, ""))) <= LONGEST_SOCKET
        assert choose_socket(DEEP, "") != choose_socket(other, "")

    def test_deep_home_keeps_its_socket_when_the_temporary_folder_changes(self) -> None:
        assert choose_socket(DEEP, "/other/mlp-1/supervisor.sock") == Path("/other/mlp-1/supervisor.sock")


class TestForgetSocket:
    def test_nothing_recorded_deletes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "work").write_text("precious")
        monkeypatch.chdir(tmp_path)
        forget_socket(DEEP, "")
        assert (tmp_path / "work").read_text() == "precious"

    def test_folder_with_anything_else_in_it_stays(self, tmp_path: Path) -> None:
        (tmp_path / "work").write_text("precious")
        forget_socket(DEEP, str(tmp_path / "supervisor.sock"))
        assert (tmp_path / "work").read_text() == "precious"

    def test_folder_made_for_the_socket_goes(self, tmp_path: Path) -> None:
        folder = tmp_path / "mlp-1"
        folder.mkdir()
        (folder / "supervisor.sock").touch()
        forget_socket(DEEP, str(folder / "supervisor.sock"))
        assert not folder.exists()


class TestStart:
    def test_socket_where_others_could_replace_it_is_refused(self, tmp_path: Path) -> None:
        home = Home(tmp_path / ".mlp")
        home.create()
        folder = tmp_path / "open"
        folder.mkdir()
        folder.chmod(0o777)
        with pytest.raises(StackError, match="open to others"):
            Supervisor(home, folder / "supervisor.sock").start({})
