"""Read settings from Vault's KV v2 engine."""

from collections.abc import Mapping
from typing import Any

import hvac
import requests
from hvac.exceptions import VaultError
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from mlplatform.settings.errors import VaultUnavailable

TIMEOUT_SECONDS = 5
DEFAULT_PATH = "secret/ml-platform"


class VaultSource(PydanticBaseSettingsSource):
    """The keys of one KV v2 secret, named like the variables or like the fields, in either case."""

    def __init__(self, settings_cls: type[BaseSettings], known: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._known = known

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic's
        """Part of pydantic's interface; the whole secret is read at once in :meth:`__call__`."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values of this class's fields.

        Raises:
            VaultUnavailable: Vault did not answer, refused, or has nothing at the path.
        """
        prefix = str(self.settings_cls.model_config.get("env_prefix", "")).lower()
        secret = {key.lower().removeprefix(prefix): value for key, value in self._read().items()}
        return {name: secret[name] for name in self.settings_cls.model_fields if name in secret}

    def _read(self) -> dict[str, Any]:
        address = str(self._known["vault_addr"])
        mount, _, path = str(self._known.get("vault_path") or DEFAULT_PATH).strip("/").partition("/")
        if not path:
            raise VaultUnavailable("ML_VAULT_PATH must be mount/path, such as secret/ml-platform")
        try:
            client = hvac.Client(address, self._text("vault_token"), timeout=TIMEOUT_SECONDS)
            self._log_in(client)
            answer = client.secrets.kv.v2.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
            return dict(answer["data"]["data"])
        except (VaultError, requests.RequestException, KeyError, TypeError, ValueError) as error:
            raise VaultUnavailable(
                f"Vault at {address} did not give the settings at {mount}/{path}: {type(error).__name__}. "
                "Check ML_VAULT_ADDR, ML_VAULT_PATH and the token or AppRole, or unset ML_VAULT_ADDR."
            ) from None

    def _log_in(self, client: hvac.Client) -> None:
        role = self._text("vault_role_id")
        if client.token is None and role is not None:
            client.auth.approle.login(role_id=role, secret_id=self._text("vault_secret_id"))

    def _text(self, name: str) -> str | None:
        value = self._known.get(name)
        return value.get_secret_value() if isinstance(value, SecretStr) else value
