"""Bearer tokens: JWTs verified with a shared secret or with the issuer's public keys, and minted with the secret."""

import sys
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import jwt

from mlplatform.auth.claims import principal_of
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.jwks import KeySet
from mlplatform.auth.principal import Principal
from mlplatform.auth.roles import Role
from mlplatform.auth.token_memory import TokenMemory
from mlplatform.settings.base import PlatformSettings

LEEWAY = timedelta(seconds=30)
TOKEN_CHARACTERS = 8192
KEY_ID_CHARACTERS = 256
# RFC 7518 section 3.2: a secret is at least as long as the hash. One that is too short is never used.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
REFUSED_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64", "zip"})
REQUIRED_CLAIMS = ["exp", "sub", "iss", "aud"]
REASONS: Sequence[tuple[type[jwt.PyJWTError], str, str]] = (
    (jwt.ExpiredSignatureError, "expired", "the token has expired; obtain a new one"),
    (jwt.ImmatureSignatureError, "immature", "the token is not valid yet; compare the clocks of issuer and server"),
    (jwt.InvalidAudienceError, "audience", "the token was issued for another audience"),
    (jwt.InvalidIssuerError, "issuer", "the token was issued by somebody else"),
    (jwt.MissingRequiredClaimError, "claims", "the token lacks one of the claims exp, sub, iss and aud"),
    (jwt.InvalidSignatureError, "signature", "the token's signature is wrong"),
    (jwt.PyJWTError, "malformed", "the token cannot be read"),
)


class MintingError(Exception):
    """Tokens cannot be made here; the message says why and what to do instead."""


class TokenVerifier:
    """Verifies bearer tokens by the algorithms of the settings.

    A secret and public keys never meet: an HS algorithm is only ever tried with the secret, any other only with a
    published key of its type, so that a public key cannot pass for a secret.
    """

    def __init__(self, settings: PlatformSettings) -> None:
        self._secret = _secret_of(settings)
        self._symmetric = [
            name for name in settings.jwt_algorithms if len(self._secret) >= SECRET_BYTES.get(name, sys.maxsize)
        ]
        self._asymmetric = [name for name in settings.jwt_algorithms if name not in SECRET_BYTES]
        self._keys = KeySet(settings.jwt_jwks_url, self._asymmetric) if settings.jwt_jwks_url else None
        self._issuer = settings.jwt_issuer
        self._audience = settings.jwt_audience
        self._memory = TokenMemory()

    async def verify(self, token: str) -> Principal:
        """Return whom the token proves.

        Raises:
            CredentialRefused: it proves nobody.
            DependencyUnavailable: the issuer's keys were never fetched and cannot be now.
        """
        principal = self._memory.find(token)
        if principal is None:
            claims = await self._verify(token)
            principal = principal_of(claims)
            self._memory.keep(token, principal, expires=float(claims["exp"]))
        return principal

    async def _verify(self, token: str) -> dict[str, Any]:
        algorithm, kid = _read_header(token)
        if algorithm in self._symmetric:
            return self._check(token, self._secret, self._symmetric)
        if self._keys is None or algorithm not in self._asymmetric:
            raise CredentialRefused("algorithm", "the token's signature algorithm is not accepted here")
        if kid is None:
            raise CredentialRefused("unknown_key", "the token's header lacks 'kid'")
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise CredentialRefused("unknown_key", "the token is signed by a key that its issuer does not publish")
        return self._check(token, key, [algorithm])

    def _check(self, token: str, key: bytes | jwt.PyJWK, algorithms: Sequence[str]) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED_CLAIMS},
            )
        except jwt.PyJWTError as error:
            raise _refusal(error) from error
        return claims


def mint_token(settings: PlatformSettings, *, subject: str, tenant: str, roles: Iterable[Role], ttl: timedelta) -> str:
    """Make a token signed with the shared secret: for one machine, and for one service calling another.

    Raises:
        MintingError: the settings accept no shared secret, or have none.
    """
    if "HS256" not in settings.jwt_algorithms:
        raise MintingError("ML_JWT_ALGORITHMS does not name HS256: obtain tokens from your issuer, or use an API key")
    secret = _secret_of(settings)
    if len(secret) < SECRET_BYTES["HS256"]:
        raise MintingError("ML_JWT_SECRET is unset or shorter than 32 bytes; `mlp up` generates one")
    now = int(time.time())
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": subject,
        "tenant": tenant,
        "roles": sorted(role.value for role in roles),
        "iat": now,
        "exp": now + int(ttl.total_seconds()),
    }
    return jwt.encode(claims, secret, algorithm="HS256", headers={"typ": "at+jwt"})


def _secret_of(settings: PlatformSettings) -> bytes:
    return b"" if settings.jwt_secret is None else settings.jwt_secret.get_secret_value().encode()


def _read_header(token: str) -> tuple[str, str | None]:
    if len(token) > TOKEN_CHARACTERS:
        raise CredentialRefused("oversized", f"the token is longer than {TOKEN_CHARACTERS} characters")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise _refusal(error) from error
    if not REFUSED_HEADERS.isdisjoint(header):
        raise CredentialRefused("header", "the token's header names a key or an extension; neither is accepted")
    kind, algorithm, kid = header.get("typ", "JWT"), header.get("alg"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise CredentialRefused("token_type", "the token is not an access token")
    if not isinstance(algorithm, str):
        raise CredentialRefused("algorithm", "the token's signature algorithm is not accepted here")
    if kid is not None and (not isinstance(kid, str) or len(kid) > KEY_ID_CHARACTERS):
        raise CredentialRefused("unknown_key", "the token's header 'kid' cannot be read")
    return algorithm, kid


def _refusal(error: jwt.PyJWTError) -> CredentialRefused:
    reason, detail = next((reason, detail) for kind, reason, detail in REASONS if isinstance(error, kind))
    return CredentialRefused(reason, detail)
