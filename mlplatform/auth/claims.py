"""From the claims of a verified token to a principal."""

from collections.abc import Mapping

from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.principal import DEFAULT_TENANT, SUBJECT_LENGTH, Principal, is_tenant
from mlplatform.auth.roles import known_roles

# Claims that only id-tokens carry: they tell a browser who signed in, and open no API.
ID_TOKEN_CLAIMS = ("at_hash", "c_hash")


def principal_of(claims: Mapping[str, object]) -> Principal:
    """Read who calls, for which tenant and with which roles.

    Raises:
        CredentialRefused: the token is an id-token, or a claim has the wrong form.
    """
    _refuse_id_token(claims)
    expires, issued = claims["exp"], claims.get("iat")
    if isinstance(issued, int | float) and isinstance(expires, int | float) and expires <= issued:
        raise CredentialRefused("claims", "the token's claim 'exp' is not later than its 'iat'")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH or not subject.isprintable():
        raise CredentialRefused("claims", f"the token's claim 'sub' must be 1 to {SUBJECT_LENGTH} printable characters")
    tenant = claims.get("tenant", DEFAULT_TENANT)
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise CredentialRefused("claims", "the token's claim 'tenant' must be 1 to 63 of a-z, 0-9, - and _")
    roles = claims.get("roles", [])
    if not isinstance(roles, list):
        raise CredentialRefused("claims", "the token's claim 'roles' must be a list")
    return Principal(subject, tenant, known_roles(roles), "jwt")


def _refuse_id_token(claims: Mapping[str, object]) -> None:
    if claims.get("token_use", "access") != "access" or any(name in claims for name in ID_TOKEN_CLAIMS):
        raise CredentialRefused("token_type", "the token is not an access token")
