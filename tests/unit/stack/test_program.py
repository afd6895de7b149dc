import configparser
import stat
import subprocess
from pathlib import Path

import pytest

from mlplatform.stack.home import Home
from mlplatform.stack.program import Program


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / ".mlp")
    home.create()
    return home


def read_section(text: str, name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser[name]


def healthy() -> None:
    """Probe a program that is always well."""


class TestSection:
    def test_secret_is_in_a_private_script_and_not_on_the_command_line(self, home: Home) -> None:
        program = Program("store", ("store", "--serve"), healthy, environment={"STORE_KEY": "hidden"})
        text = program.section(home)
        assert "hidden" not in text
        assert "hidden" in (home.run / "store.sh").read_text()
        assert stat.S_IMODE((home.run / "store.sh").stat().st_mode) == 0o600

    def test_script_passes_awkward_values_unchanged(self, home: Home) -> None:
        value = '"user,pa\'ss%word" $HOME `id`'
        program = Program("echo", ("printenv", "VALUE"), healthy, environment={"VALUE": value})
        program.section(home)
        answer = subprocess.run(["/bin/sh", str(home.run / "echo.sh")], capture_output=True, text=True, check=True)
        assert answer.stdout == f"{value}\n"

    def test_percent_sign_is_no_expansion_of_the_supervisor(self, home: Home) -> None:
        section = read_section(Program("s", ("serve", "50%"), healthy).section(home), "program:s")
        assert section["command"] == "serve 50%%"

    def test_program_is_restarted_whatever_its_exit_code(self, home: Home) -> None:
        section = read_section(Program("s", ("serve",), healthy).section(home), "program:s")
        assert section["autorestart"] == "true"

    def test_files_are_private(self, home: Home) -> None:
        Program("s", ("serve",), healthy, files={"s.conf": "password"}).section(home)
        assert stat.S_IMODE((home.run / "s.conf").stat().st_mode) == 0o600


class TestRevision:
    def test_changed_environment_makes_it_another_program(self) -> None:
        first, second = (Program("s", ("serve",), healthy, environment={"LEVEL": level}) for level in ("1", "2"))
        assert first.revision() != second.revision()

    def test_changed_file_makes_it_another_program(self) -> None:
        first, second = (Program("s", ("serve",), healthy, files={"s.conf": text}) for text in ("1", "2"))
        assert first.revision() != second.revision()

    def test_same_program_has_the_same_revision(self) -> None:
        first, second = (Program("s", ("serve",), healthy, environment={"A": "1"}) for _ in range(2))
        assert first.revision() == second.revision()
