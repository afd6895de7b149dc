from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mlplatform.cli import stack
from mlplatform.stack.home import Home


@pytest.fixture
def mlp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """Return the commands on an empty home, run in an empty folder: `reset` is among them."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ML_HOME", str(folder / ".mlp"))
    app = typer.Typer()
    stack.register(app)
    return app


class TestReset:
    def test_refuses_without_yes_and_says_what_it_deletes(self, mlp: typer.Typer) -> None:
        Path(".mlp").mkdir()
        result = CliRunner().invoke(mlp, ["reset"])
        assert result.exit_code == 64
        assert "mlp reset --yes" in result.output
        assert Path(".mlp").exists()

    def test_folder_that_no_up_has_made_is_not_deleted(self, mlp: typer.Typer) -> None:
        Path(".mlp").mkdir()
        (Path(".mlp") / "work").write_text("precious")
        result = CliRunner().invoke(mlp, ["reset", "--yes"])
        assert result.exit_code == 1
        assert "not made by mlp up" in result.output
        assert (Path(".mlp") / "work").read_text() == "precious"

    def test_deletes_the_home_and_nothing_beside_it(self, mlp: typer.Typer, tmp_path: Path) -> None:
        Home(Path(".mlp").absolute()).create()
        Path("work").write_text("precious")
        (tmp_path / "above").write_text("precious")
        result = CliRunner().invoke(mlp, ["reset", "--yes"])
        assert result.exit_code == 0
        assert not Path(".mlp").exists()
        assert Path("work").read_text() == (tmp_path / "above").read_text() == "precious"


class TestStatus:
    def test_stack_that_never_ran_is_not_healthy(self, mlp: typer.Typer) -> None:
        result = CliRunner().invoke(mlp, ["status"])
        assert result.exit_code == 1
        assert "mlp up" in result.output


class TestLogs:
    def test_unknown_part_is_a_usage_error(self, mlp: typer.Typer) -> None:
        result = CliRunner().invoke(mlp, ["logs", "nothing"])
        assert result.exit_code == 64
        assert "no log of 'nothing'" in result.output

    def test_shows_the_last_lines(self, mlp: typer.Typer) -> None:
        folder = Path(".mlp") / "logs"
        folder.mkdir(parents=True)
        (folder / "serving.log").write_text("first\nsecond\nthird\n")
        result = CliRunner().invoke(mlp, ["logs", "serving", "-n", "2"])
        assert result.output.splitlines() == ["second", "third"]


class TestUp:
    def test_port_that_is_none_is_refused_by_name(self, mlp: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_MLFLOW_PORT", "many")
        result = CliRunner().invoke(mlp, ["up"])
        assert result.exit_code == 1
        assert "ML_MLFLOW_PORT=many is not a port" in result.output


class TestDoctor:
    def test_names_what_it_looked_at(self, mlp: typer.Typer) -> None:
        result = CliRunner().invoke(mlp, ["doctor"])
        assert "Python" in result.output
        assert "Postgres" in result.output
