"""What `ML_ENV=production` refuses."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from mlplatform.settings.errors import UnsafeSettings

if TYPE_CHECKING:  # base.py imports this module
    from mlplatform.settings.base import PlatformSettings

SECRET_BYTES = 32
PASSWORD_BYTES = 12
DISTINCT_CHARACTERS = 8
KNOWN_SECRETS = ("change", "default", "dev-only", "devpass", "devsecret", "example", "minioadmin", "password", "secret")


def refuse_unsafe(settings: "PlatformSettings") -> None:
    """Raise one error that lists every unsafe value.

    Raises:
        UnsafeSettings: At least one value is unsafe; the message has a line per variable with its remedy.
    """
    violations = [*_access(settings), *_tokens(settings), *_storage(settings)]
    if violations:
        lines = [f"  {variable}: {remedy}" for variable, remedy in violations]
        raise UnsafeSettings("\n".join(["ML_ENV=production refuses to start:", *lines]))


def _access(settings: "PlatformSettings") -> list[tuple[str, str]]:
    violations = []
    if not settings.auth_enabled:
        violations.append(("ML_AUTH_ENABLED", "is off, so anybody may call; set it to true or unset it"))
    if "*" in settings.cors_origins:
        violations.append(("ML_CORS_ORIGINS", "allows any web page; list the origins of your own pages"))
    if not settings.rate_limit_enabled:
        violations.append(("ML_RATE_LIMIT_ENABLED", "is off, so one caller may take all; set it to true or unset it"))
    return violations


def _tokens(settings: "PlatformSettings") -> list[tuple[str, str]]:
    violations = []
    shared = any(algorithm.startswith("HS") for algorithm in settings.jwt_algorithms)
    signed = any(not algorithm.startswith("HS") for algorithm in settings.jwt_algorithms)
    if shared:
        violations += _weak("ML_JWT_SECRET", settings.jwt_secret, SECRET_BYTES)
    if shared and signed:
        violations.append(("ML_JWT_ALGORITHMS", "mixes shared and public keys; name either HS… or RS…/ES…"))
    if signed and settings.jwt_jwks_url is None:
        violations.append(("ML_JWT_JWKS_URL", "is missing; set where your issuer publishes its keys"))
    if settings.jwt_jwks_url is not None and not settings.jwt_jwks_url.startswith("https://"):
        violations.append(("ML_JWT_JWKS_URL", "is not https://, so keys can be forged on the way; use https://"))
    return violations + _weak("ML_API_KEY_PEPPER", settings.api_key_pepper, SECRET_BYTES)


def _storage(settings: "PlatformSettings") -> list[tuple[str, str]]:
    password = urlsplit(settings.database_url.get_secret_value()).password
    return _weak("ML_DATABASE_URL", SecretStr(password or ""), PASSWORD_BYTES, what="its password") + _weak(
        "ML_S3_SECRET_KEY", settings.s3_secret_key, PASSWORD_BYTES
    )


def _weak(variable: str, secret: SecretStr | None, least: int, what: str = "the value") -> list[tuple[str, str]]:
    text = "" if secret is None else secret.get_secret_value()
    remedy = f"set {least} random bytes or more, such as from `openssl rand -hex {least}`"
    if not text:
        return [(variable, f"{what} is missing; {remedy}")]
    if len(text.encode()) < least:
        return [(variable, f"{what} is shorter than {least} bytes; {remedy}")]
    if len(set(text)) < DISTINCT_CHARACTERS or any(known in text.lower() for known in KNOWN_SECRETS):
        return [(variable, f"{what} can be guessed; {remedy}")]
    return []
