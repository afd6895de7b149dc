"""Why a caller is turned away.

* PlatformError
  + Unauthenticated
    - CredentialRefused   401, nobody known is calling
  + BadRequest
    - CredentialAmbiguous 400, two credentials that may disagree
  + Forbidden
    - PermissionMissing   403, the caller is known and may not

Each carries a `reason`: one word of a fixed set, for the audit row and the metric.
"""

from mlplatform.auth.roles import Permission
from mlplatform.errors.tree import BadRequest, Forbidden, Unauthenticated

REALM = "ml-platform"


class CredentialRefused(Unauthenticated):
    """No credential, or one that proves nothing."""

    def __init__(self, reason: str, detail: str) -> None:
        challenge = f'Bearer realm="{REALM}"'
        if reason != "missing":
            challenge += ', error="invalid_token"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})
        self.reason = reason


class CredentialAmbiguous(BadRequest):
    """More than one credential: whichever is read, the other may have been meant."""

    reason = "ambiguous"


class PermissionMissing(Forbidden):
    """None of the caller's roles grants what the route asks for."""

    reason = "permission"

    def __init__(self, permission: Permission) -> None:
        challenge = f'Bearer realm="{REALM}", error="insufficient_scope", scope="{permission.value}"'
        super().__init__(
            f"none of your roles grants the permission '{permission.value}'; ask an administrator for one that does",
            headers={"WWW-Authenticate": challenge},
        )


Denial = CredentialRefused | CredentialAmbiguous | PermissionMissing
