import stat
import subprocess
from pathlib import Path

from dotenv import dotenv_values

from mlplatform.stack.files import read_environment, read_tail, write_environment, write_private

AWKWARD = {
    "PLAIN": "value",
    "URL": "postgresql://u:p%40ss@h/db?a=1&b=2",
    "SPACES": "a b",
    "QUOTES": 'it\'s "so" $HOME #x',
}


class TestWritePrivate:
    def test_only_the_owner_reads_the_file(self, tmp_path: Path) -> None:
        write_private(tmp_path / "secret", "text")
        assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600

    def test_file_open_to_others_is_replaced_by_a_closed_one(self, tmp_path: Path) -> None:
        path = tmp_path / "secret"
        path.write_text("old")
        path.chmod(0o644)
        write_private(path, "new")
        assert path.read_text() == "new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_no_other_file_is_left_behind(self, tmp_path: Path) -> None:
        write_private(tmp_path / "secret", "text")
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]


class TestWriteEnvironment:
    def test_reads_back_what_was_written(self, tmp_path: Path) -> None:
        write_environment(tmp_path / "stack.env", AWKWARD)
        assert read_environment(tmp_path / "stack.env") == AWKWARD

    def test_shell_reads_the_same(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.env"
        write_environment(path, AWKWARD)
        script = f'. {path}; printf "%s\\n" "$PLAIN" "$URL" "$SPACES" "$QUOTES"'
        answer = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
        assert answer.stdout.splitlines() == list(AWKWARD.values())

    def test_dotenv_reads_the_same_of_what_a_url_may_hold(self, tmp_path: Path) -> None:
        path = tmp_path / "stack.env"
        values = {name: value for name, value in AWKWARD.items() if "'" not in value}
        write_environment(path, values)
        assert dotenv_values(path) == values


class TestReadEnvironment:
    def test_missing_file_holds_nothing(self, tmp_path: Path) -> None:
        assert read_environment(tmp_path / "none") == {}


class TestReadTail:
    def test_returns_the_last_lines(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(1000)))
        assert read_tail(tmp_path / "log", 2) == "line 998\nline 999"

    def test_short_file_is_returned_whole(self, tmp_path: Path) -> None:
        (tmp_path / "log").write_text("only\n")
        assert read_tail(tmp_path / "log", 10) == "only"

    def test_missing_file_is_empty(self, tmp_path: Path) -> None:
        assert read_tail(tmp_path / "none", 10) == ""
