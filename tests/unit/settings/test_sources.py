from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlplatform.settings import Environment, InvalidSettings, PlatformSettings
from mlplatform.settings.stack_file import find_stack_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ML_HOME", raising=False)
    return tmp_path


def write_stack(home: Path, text: str) -> None:
    home.mkdir(parents=True)
    (home / "stack.env").write_text(text)


class TestPrecedence:
    def test_stack_file_of_a_folder_above(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_stack(folder / ".mlp", "ML_S3_BUCKET=from-stack\n")
        inner = folder / "a" / "b"
        inner.mkdir(parents=True)
        monkeypatch.chdir(inner)
        assert PlatformSettings().s3_bucket == "from-stack"

    def test_dotenv_over_stack_file(self, folder: Path) -> None:
        write_stack(folder / ".mlp", "ML_S3_BUCKET=from-stack\n")
        (folder / ".env").write_text("ML_S3_BUCKET=from-dotenv\n")
        assert PlatformSettings().s3_bucket == "from-dotenv"

    def test_environment_over_dotenv(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text("ML_S3_BUCKET=from-dotenv\n")
        monkeypatch.setenv("ML_S3_BUCKET", "from-environment")
        assert PlatformSettings().s3_bucket == "from-environment"

    def test_home_names_the_stack(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_stack(folder / ".mlp", "ML_S3_BUCKET=near\n")
        write_stack(folder / "elsewhere", "ML_S3_BUCKET=far\n")
        monkeypatch.setenv("ML_HOME", str(folder / "elsewhere"))
        assert PlatformSettings().s3_bucket == "far"

    def test_empty_variable_is_no_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_S3_BUCKET", "")
        assert PlatformSettings().s3_bucket == "platform"

    def test_production_reads_no_stack_file(self, folder: Path) -> None:
        write_stack(folder / ".mlp", "ML_S3_BUCKET=from-stack\n")
        assert find_stack_file({"env": "production"}, folder) is None
        assert find_stack_file({"env": "staging"}, folder) == folder / ".mlp" / "stack.env"


class TestDefaults:
    @pytest.mark.parametrize(("environment", "enabled"), [("local", False), ("staging", True)])
    def test_authentication(self, environment: str, enabled: bool) -> None:
        assert PlatformSettings(env=Environment(environment)).auth_enabled is enabled

    def test_algorithm_without_public_keys(self) -> None:
        assert PlatformSettings().jwt_algorithms == ("HS256",)


class TestForms:
    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("20", timedelta(seconds=20)),
            ("500ms", timedelta(milliseconds=500)),
            ("1.5 m", timedelta(seconds=90)),
            ("PT2H", timedelta(hours=2)),
        ],
    )
    def test_duration(self, text: str, duration: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_SHUTDOWN_TIMEOUT", text)
        assert PlatformSettings().shutdown_timeout == duration

    @pytest.mark.parametrize(
        "text", ["https://a.example, https://b.example/", '["https://a.example","https://b.example"]']
    )
    def test_list(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_CORS_ORIGINS", text)
        assert PlatformSettings().cors_origins == ("https://a.example", "https://b.example")

    def test_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ML_MAX_BODY_SIZE", "2MiB")
        assert PlatformSettings().max_body_size == 2 * 1024 * 1024

    @pytest.mark.parametrize(
        ("variable", "text"),
        [
            ("ML_S3_ENDPOINT", "ftp://files.example.org"),
            ("ML_CORS_ORIGINS", "https://ui.example.org/path"),
            ("ML_OTLP_HEADERS", "no-equals-sign"),
            ("ML_SHUTDOWN_TIMEOUT", "soon"),
            ("ML_JWT_ALGORITHMS", "none"),
        ],
    )
    def test_wrong_form_names_the_variable_and_not_the_value(
        self, variable: str, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, text)
        with pytest.raises(InvalidSettings) as caught:
            PlatformSettings()
        assert f"{variable}:" in str(caught.value)
        assert text not in str(caught.value)

    def test_secrets_are_not_shown(self) -> None:
        assert "hunter2" not in repr(PlatformSettings(jwt_secret="hunter2", s3_secret_key="hunter2"))
