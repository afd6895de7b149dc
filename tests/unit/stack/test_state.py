import stat
from pathlib import Path

import pytest

from mlplatform.stack.home import Home
from mlplatform.stack.state import State


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / ".mlp")
    home.create()
    return home


class TestLoad:
    def test_passwords_are_generated_once(self, home: Home) -> None:
        first = State.load(home)
        first.save(home)
        assert State.load(home).secrets == first.secrets

    def test_passwords_differ_from_each_other_and_between_stacks(self, home: Home) -> None:
        first, second = State.load(home), State.load(home)
        passwords = [*first.secrets.values(), *second.secrets.values()]
        assert len(set(passwords)) == len(passwords)


class TestSave:
    def test_only_the_owner_reads_it(self, home: Home) -> None:
        State.load(home).save(home)
        assert stat.S_IMODE(home.state_file.stat().st_mode) == 0o600
