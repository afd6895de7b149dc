import secrets

import pytest

from mlplatform.settings import PlatformSettings, UnsafeSettings

SAFE = {
    "ML_ENV": "production",
    "ML_DATABASE_URL": f"postgresql://ml_app:{secrets.token_hex(16)}@db.example.org/platform",
    "ML_S3_SECRET_KEY": secrets.token_hex(16),
    "ML_JWT_SECRET": secrets.token_hex(32),
    "ML_API_KEY_PEPPER": secrets.token_hex(32),
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in SAFE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal() -> str:
    with pytest.raises(UnsafeSettings) as caught:
        PlatformSettings()
    return str(caught.value)


class TestStart:
    @pytest.mark.usefixtures("environment")
    def test_safe_settings(self) -> None:
        assert PlatformSettings().auth_enabled

    def test_public_keys_without_a_shared_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.delenv("ML_JWT_SECRET")
        environment.setenv("ML_JWT_JWKS_URL", "https://issuer.example.org/keys")
        assert PlatformSettings().jwt_algorithms == ("RS256", "ES256")

    def test_everything_unsafe_is_named_at_once(self, environment: pytest.MonkeyPatch) -> None:
        environment.delenv("ML_JWT_SECRET")
        environment.delenv("ML_API_KEY_PEPPER")
        environment.setenv("ML_CORS_ORIGINS", "*")
        message = refusal()
        assert [name for name in ("JWT_SECRET", "API_KEY_PEPPER", "CORS_ORIGINS") if f"ML_{name}:" not in message] == []

    def test_laptop_starts_with_the_same_values(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_ENV", "local")
        environment.delenv("ML_JWT_SECRET")
        assert not PlatformSettings().auth_enabled


class TestRefusal:
    def test_authentication_off(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_AUTH_ENABLED", "false")
        assert "ML_AUTH_ENABLED: is off" in refusal()

    def test_missing_jwt_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.delenv("ML_JWT_SECRET")
        assert "ML_JWT_SECRET: the value is missing" in refusal()

    def test_short_jwt_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_SECRET", secrets.token_hex(8))
        assert "ML_JWT_SECRET: the value is shorter than 32 bytes" in refusal()

    def test_default_jwt_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_SECRET", "dev-only-secret-dev-only-secret-dev-only")
        assert "ML_JWT_SECRET: the value can be guessed" in refusal()

    def test_jwt_secret_of_one_character(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_SECRET", "x" * 64)
        assert "ML_JWT_SECRET: the value can be guessed" in refusal()

    def test_missing_pepper(self, environment: pytest.MonkeyPatch) -> None:
        environment.delenv("ML_API_KEY_PEPPER")
        assert "ML_API_KEY_PEPPER: the value is missing" in refusal()

    def test_database_without_a_password(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_DATABASE_URL", "postgresql://ml_app@db.example.org/platform")
        assert "ML_DATABASE_URL: its password is missing" in refusal()

    def test_default_s3_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_S3_SECRET_KEY", "minioadmin-minioadmin")
        assert "ML_S3_SECRET_KEY: the value can be guessed" in refusal()

    def test_any_origin(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_CORS_ORIGINS", "https://ui.example.org,*")
        assert "ML_CORS_ORIGINS: allows any web page" in refusal()

    def test_keys_over_plain_http(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_JWKS_URL", "http://issuer.example.org/keys")
        assert "ML_JWT_JWKS_URL: is not https://" in refusal()

    def test_shared_and_public_keys_mixed(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_ALGORITHMS", "HS256,RS256")
        environment.setenv("ML_JWT_JWKS_URL", "https://issuer.example.org/keys")
        assert "ML_JWT_ALGORITHMS: mixes shared and public keys" in refusal()

    def test_public_keys_from_nowhere(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_ALGORITHMS", "RS256")
        assert "ML_JWT_JWKS_URL: is missing" in refusal()

    def test_no_rate_limit(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_RATE_LIMIT_ENABLED", "false")
        assert "ML_RATE_LIMIT_ENABLED: is off" in refusal()

    def test_message_names_the_remedy_and_no_secret(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("ML_JWT_SECRET", "tooshort-a1b2c3")
        message = refusal()
        assert "openssl rand -hex 32" in message
        assert "tooshort-a1b2c3" not in message
