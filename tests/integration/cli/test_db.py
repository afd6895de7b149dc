"""`mlp db` on a database of its own."""

from typer.testing import CliRunner

from mlplatform.cli.app import app
from mlplatform.database.schema import expected_revision


class TestDb:
    def test_there_and_back(self, settings_env: dict[str, str]) -> None:
        def mlp(*arguments: str) -> tuple[int, str]:
            result = CliRunner().invoke(app, ["db", *arguments], env=settings_env)
            return result.exit_code, result.stdout.strip() or result.stderr.strip()

        assert mlp("current") == (0, expected_revision())
        assert mlp("check")[0] == 0

        assert mlp("downgrade", "0003") == (0, "the database is at revision 0003")
        status, message = mlp("check")
        assert (status, "run `mlp db upgrade`" in message) == (1, True)

        assert mlp("upgrade") == (0, f"the database is at revision {expected_revision()}")
        assert mlp("check")[0] == 0

    def test_unknown_revision(self, settings_env: dict[str, str]) -> None:
        result = CliRunner().invoke(app, ["db", "upgrade", "9999"], env=settings_env)

        assert result.exit_code == 1
        assert "9999" in result.stderr
