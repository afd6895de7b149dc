"""API keys: `mlk_<prefix>.<secret>`.

The prefix finds the row and is no secret. Its last characters are a MAC under the pepper, so that a made-up prefix is
refused without asking Postgres. The secret has 256 random bits, so a fast hash protects it; only its HMAC is stored.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.principal import Principal
from mlplatform.auth.roles import known_roles

PREFIX_BYTES = 8
MAC_BYTES = 4
SECRET_BYTES = 32
PEPPER_BYTES = 32
KEY_PREFIX = "mlk_"
"""What tells a key from a token; no JWT begins like this."""
_KEY = re.compile(rf"{KEY_PREFIX}([0-9a-f]{{24}})\.([A-Za-z0-9_-]{{43}})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key; the secret itself is nowhere.

    Attributes:
        prefix: what follows `mlk_`, and the key's id.
        secret_hmac: HMAC-SHA256 of the secret under the pepper.
        subject: who calls; a key that replaces another keeps it.
        name: what an operator calls it.
        replaced_by: the prefix of the key that this one was rotated to.
    """

    prefix: str
    secret_hmac: bytes
    subject: str
    name: str
    tenant_id: str
    roles: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def principal(self) -> Principal:
        """The caller that the key proves."""
        return Principal(self.subject, self.tenant_id, known_roles(self.roles), "api_key")


class KeyForm:
    """Writes and reads keys under one pepper."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def generate(self) -> tuple[str, str]:
        """Return a fresh prefix and secret."""
        prefix = secrets.token_hex(PREFIX_BYTES)
        return prefix + self._mac(prefix), secrets.token_urlsafe(SECRET_BYTES)

    def parse(self, text: str) -> tuple[str, str]:
        """Return the prefix and the secret of a presented key.

        Raises:
            CredentialRefused: it was not made here.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise CredentialRefused("malformed", "the API key is not of the form mlk_<prefix>.<secret>")
        prefix, secret = match.groups()
        if not hmac.compare_digest(self._mac(prefix[: 2 * PREFIX_BYTES]), prefix[2 * PREFIX_BYTES :]):
            raise unknown_key()
        return prefix, secret

    def digest(self, secret: str) -> bytes:
        """HMAC-SHA256 of the secret, as it is stored."""
        return hmac.digest(self._pepper, b"secret:" + secret.encode(), hashlib.sha256)

    def check(self, key: ApiKey | None, secret: str) -> ApiKey:
        """Return the key when the secret is its own and it is active.

        Raises:
            CredentialRefused: the key is unknown, expired or revoked. The last two are said only to its holder.
        """
        if key is None or not hmac.compare_digest(key.secret_hmac, self.digest(secret)):
            raise unknown_key()
        state = key.state(datetime.now(UTC))
        if state != "active":
            raise CredentialRefused(f"key_{state}", f"the API key is {state}; ask an administrator for a new one")
        return key

    def _mac(self, prefix: str) -> str:
        return hmac.digest(self._pepper, b"prefix:" + prefix.encode(), hashlib.sha256)[:MAC_BYTES].hex()


def unknown_key() -> CredentialRefused:
    """The refusal of a key that nobody was given."""
    return CredentialRefused("key_unknown", "the API key is not known here")


def render(prefix: str, secret: str) -> str:
    """The text that a caller sends as `X-API-Key`, or as a bearer token."""
    return f"{KEY_PREFIX}{prefix}.{secret}"
