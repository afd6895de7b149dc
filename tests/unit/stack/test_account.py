from pathlib import Path

import pytest

from mlplatform.stack.account import remove_elsewhere
from mlplatform.stack.home import Home


class TestRemoveElsewhere:
    @pytest.mark.parametrize("recorded", ["", ".", "postgres"])
    def test_path_that_is_not_the_stacks_own_is_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: str
    ) -> None:
        (tmp_path / "postgres").mkdir()
        (tmp_path / "postgres" / "work").write_text("precious")
        monkeypatch.chdir(tmp_path)
        remove_elsewhere(Home(tmp_path / ".mlp"), recorded)
        remove_elsewhere(Home(tmp_path / ".mlp"), str(tmp_path / "postgres"))
        assert (tmp_path / "postgres" / "work").read_text() == "precious"
