"""`mlp token`, and what it refuses."""

import jwt
import pytest
from typer.testing import CliRunner

from mlplatform.cli.app import app

SECRET = "kZ8v1nQ4xW7bR2mT5yU9cJ3fH6gL0pDs-of-a-test"
PRODUCTION = {
    "ML_ENV": "production",
    "ML_JWT_SECRET": SECRET,
    "ML_API_KEY_PEPPER": SECRET[::-1],
    "ML_DATABASE_URL": f"postgresql://ml_app:{SECRET}@db.example/platform",
    "ML_S3_SECRET_KEY": SECRET,
}


@pytest.fixture
def cli() -> CliRunner:
    return CliRunner()


class TestToken:
    def test_claims(self, cli: CliRunner) -> None:
        result = cli.invoke(
            app,
            ["token", "--role", "user", "--role", "viewer", "--tenant", "acme", "--ttl", "30m", "--subject", "ada"],
            env={"ML_JWT_SECRET": SECRET},
        )

        claims = jwt.decode(result.stdout.strip(), SECRET, ["HS256"], audience="ml-platform", issuer="ml-platform")
        assert (claims["sub"], claims["tenant"], claims["roles"]) == ("ada", "acme", ["user", "viewer"])
        assert claims["exp"] - claims["iat"] == 1800

    def test_production(self, cli: CliRunner) -> None:
        result = cli.invoke(app, ["token", "--role", "user"], env=PRODUCTION)

        assert result.exit_code == 1
        assert "refused where ML_ENV=production" in result.stderr
        assert result.stdout == ""

    def test_unsafe_production(self, cli: CliRunner) -> None:
        result = cli.invoke(app, ["token", "--role", "user"], env=PRODUCTION | {"ML_AUTH_ENABLED": "false"})

        assert (result.exit_code, result.stdout) == (1, "")
        assert "ML_AUTH_ENABLED" in result.stderr

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            (["--role", "root"], "--role"),
            (["--role", "user", "--ttl", "25h"], "--ttl"),
            (["--role", "user", "--ttl", "soon"], "--ttl"),
            (["--role", "user", "--ttl", "0"], "--ttl"),
            (["--role", "user", "--tenant", "A b"], "--tenant"),
            (["--role", "user", "--subject", "a\nb"], "--subject"),
        ],
    )
    def test_wrong_option(self, cli: CliRunner, options: list[str], named: str) -> None:
        result = cli.invoke(app, ["token", *options], env={"ML_JWT_SECRET": SECRET})

        assert (result.exit_code, result.stdout) == (64, "")
        assert named in result.stderr

    def test_no_secret(self, cli: CliRunner) -> None:
        result = cli.invoke(app, ["token", "--role", "user"])

        assert result.exit_code == 1
        assert "ML_JWT_SECRET" in result.stderr


class TestOwner:
    @pytest.mark.parametrize("command", ["keys list", "audit verify", "db current", "db upgrade", "db check"])
    def test_owner_url_is_unset(self, cli: CliRunner, command: str) -> None:
        result = cli.invoke(app, command.split())

        assert result.exit_code == 64
        assert "ML_DATABASE_OWNER_URL" in result.stderr
