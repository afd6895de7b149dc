"""The settings that every service and every script shares.

A service subclasses :class:`PlatformSettings` and adds its own fields. Sources, first wins: environment, Vault (when
`ML_VAULT_ADDR` is set), `.env`, the embedded stack's `stack.env` (never in production), defaults.
"""

import os
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from mlplatform.settings.errors import InvalidSettings
from mlplatform.settings.parsing import check_headers, check_origin, check_url, read_duration, split_list
from mlplatform.settings.production import refuse_unsafe
from mlplatform.settings.stack_file import find_stack_file
from mlplatform.settings.vault import VaultSource

Url = Annotated[str, AfterValidator(check_url)]
Origin = Annotated[str, AfterValidator(check_origin)]
Duration = Annotated[timedelta, BeforeValidator(read_duration)]
Algorithm = Literal["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"]


class Environment(StrEnum):
    """Where the process runs; decides which defaults are allowed."""

    LOCAL = "local"
    STAGING = "staging"
    PRODUCTION = "production"


def _auth_by_environment(data: dict[str, Any]) -> bool:
    return data.get("env") is not Environment.LOCAL


def _algorithms_by_key_source(data: dict[str, Any]) -> tuple[str, ...]:
    return ("HS256",) if data.get("jwt_jwks_url") is None else ("RS256", "ES256")


def _half_of_the_cores() -> int:
    return max(0, (os.cpu_count() or 1) // 2 - 1)


class PlatformSettings(BaseSettings):
    """Settings of the kernel, read from variables with the prefix `ML_`.

    Raises:
        InvalidSettings: A value has the wrong form; the message names each variable.
        UnsafeSettings: `ML_ENV=production` with an unsafe value; the message names all of them and the remedies.
        VaultUnavailable: `ML_VAULT_ADDR` is set and Vault cannot be read.
    """

    model_config = SettingsConfigDict(
        env_prefix="ML_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    env: Environment = Environment.LOCAL
    """Where this runs. `production` refuses to start with unsafe values."""
    home: Path = Path(".mlp")
    """State of the embedded stack, and caches."""
    host: str = "127.0.0.1"
    """Address the services listen on."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """Least severe level that is logged."""

    database_url: SecretStr = SecretStr("postgresql://ml_app@127.0.0.1:5432/platform")
    """Postgres as the role `ml_app`, which row-level security binds."""
    database_owner_url: SecretStr | None = None
    """Postgres as the role that owns the tables; for migrations and `mlp`, never for a service."""
    database_admin_url: SecretStr | None = None
    """Postgres as an administrator; used by the embedded stack and by tests only."""
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 20
    """Most connections that one process opens to Postgres."""
    index_memory: Annotated[ByteSize, Field(ge=2**20)] = ByteSize(2**30)
    """Most memory that the build of an HNSW index may take. It takes what its vectors need; a graph that needs more is
    built more slowly."""
    index_workers: Annotated[int, Field(ge=0, le=64)] = Field(default_factory=_half_of_the_cores)
    """Processes of Postgres that help to build an HNSW index, in memory that they share. Default: half of the processor
    cores but one, so that the other half serves."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis for streams, limits and caches."""

    s3_endpoint: Url = "http://127.0.0.1:9000"
    """S3 server; `https://` turns TLS on."""
    s3_access_key: str = ""
    """Access key of the S3 server."""
    s3_secret_key: SecretStr = SecretStr("")
    """Secret key of the S3 server."""
    s3_region: str = "us-east-1"
    """Region that requests are signed for."""
    s3_bucket: str = "platform"
    """Bucket of the platform's own objects."""

    mlflow_url: Url = "http://127.0.0.1:5000"
    """MLflow tracking server and model registry."""
    serving_url: Url = "http://127.0.0.1:9005"
    """Model serving, as other services reach it."""
    embedding_url: Url = "http://127.0.0.1:9006"
    """Embedding service, as other services reach it."""
    search_url: Url = "http://127.0.0.1:9007"
    """Search service, as other services reach it."""

    otlp_endpoint: Url | None = None
    """Full URL that traces are posted to (OTLP over HTTP). Unset: no traces leave the process."""
    otlp_headers: Annotated[SecretStr, AfterValidator(check_headers)] = SecretStr("")
    """Headers of that request, as `name=value,name=value`."""
    traces_per_second: Annotated[float, Field(ge=-1)] = 2.0
    """Most new traces that one process starts per second, as long as it goes on; -1 is without limit."""
    traces_burst: Annotated[float, Field(ge=0)] = 20.0
    """Traces that one process may start at once after a quiet time."""
    followed_traces_per_second: Annotated[float, Field(ge=-1)] = 100.0
    """Most traces of sampled callers that one process continues per second; -1 is without limit."""

    auth_enabled: bool = Field(default_factory=_auth_by_environment)
    """Whether callers must prove who they are. Off by default only in `local`."""
    jwt_jwks_url: Url | None = None
    """Where the issuer publishes its public keys."""
    jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(split_list), Field(min_length=1)] = (
        Field(default_factory=_algorithms_by_key_source, validate_default=True)
    )
    """Signature algorithms that tokens may use. Default: HS256, or RS256 and ES256 when a JWKS URL is set."""
    jwt_secret: SecretStr | None = None
    """Shared secret of HS256 tokens, 32 bytes or more."""
    jwt_issuer: str = "ml-platform"
    """Required `iss` of a token."""
    jwt_audience: str = "ml-platform"
    """Required `aud` of a token."""
    api_key_pepper: SecretStr | None = None
    """Key of the HMAC that API keys are stored as, 32 bytes or more."""

    rate_limit_enabled: bool = True
    """Whether callers are limited."""
    rate_limit_per_minute: Annotated[int, Field(ge=1)] = 60
    """Requests per minute for a caller and route class, once the burst is used up."""
    rate_limit_burst: Annotated[int, Field(ge=1)] = 100
    """Requests that a rested caller may send at once."""
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(split_list)] = ()
    """Origins whose pages may call the services from a browser."""
    max_body_size: Annotated[ByteSize, Field(ge=1)] = ByteSize(16 * 1024 * 1024)
    """Largest request body."""
    max_body_bytes_in_flight: Annotated[ByteSize, Field(ge=1)] = ByteSize(512 * 1024 * 1024)
    """Most bytes of request bodies that one process holds at a time, for inference routes and for all others each; more
    are answered 503."""
    body_timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=30)
    """How long a request may pause in the middle of its body before it is answered 408. A large one must come at 128
    KiB/s in the long run."""

    dependency_timeout: Duration = timedelta(seconds=5)
    """How long to wait for Redis, S3 or another service before answering 503."""
    shutdown_timeout: Duration = timedelta(seconds=20)
    """How long requests in flight may take to finish after SIGTERM."""

    vault_addr: Url | None = None
    """Vault server. Set: the settings at `ML_VAULT_PATH` are read from it."""
    vault_token: SecretStr | None = None
    """Token for Vault, or give an AppRole."""
    vault_role_id: SecretStr | None = None
    """AppRole for Vault."""
    vault_secret_id: SecretStr | None = None
    """Secret of that AppRole."""
    vault_path: str = "secret/ml-platform"
    """KV v2 mount and path of the settings, `mount/path`."""

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)  # type: ignore[arg-type]  # pydantic's own options, which nobody passes
        except ValidationError as error:
            raise InvalidSettings.of(error, prefix=type(self).model_config["env_prefix"]) from None

    @model_validator(mode="after")
    def _refuse_unsafe_production(self) -> Self:
        if self.env is Environment.PRODUCTION:
            refuse_unsafe(self)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; Vault and the stack file join by what the sources above them say."""
        known = dotenv_settings() | env_settings() | init_settings()
        sources = [init_settings, env_settings]
        if known.get("vault_addr"):
            sources.append(VaultSource(settings_cls, known))
        sources.append(dotenv_settings)
        stack_file = find_stack_file(known)
        if stack_file is not None:
            sources.append(DotEnvSettingsSource(settings_cls, env_file=stack_file))
        return tuple(sources)
