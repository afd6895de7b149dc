"""Who is calling."""

import re
from dataclasses import dataclass
from typing import Literal

from mlplatform.auth.roles import Permission, Role, is_allowed

DEFAULT_TENANT = "default"
TENANT_PATTERN = "^[a-z0-9][a-z0-9_-]{0,62}$"
SUBJECT_LENGTH = 255
Method = Literal["anonymous", "jwt", "api_key"]

# `$` also matches before a final line feed, `\Z` does not.
_TENANT = re.compile(TENANT_PATTERN.removesuffix("$") + r"\Z")


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential was accepted."""

    subject: str
    tenant: str
    roles: frozenset[Role]
    method: Method

    def may(self, permission: Permission) -> bool:
        """Whether one of the caller's roles grants the permission."""
        return is_allowed(self.roles, permission)


# The caller where authentication is off: on a laptop everybody may do everything.
ANONYMOUS = Principal("anonymous", DEFAULT_TENANT, frozenset(Role), "anonymous")


def is_tenant(name: str) -> bool:
    """Whether the name can be a tenant: 1 to 63 of a-z, 0-9, - and _, starting with a letter or a digit."""
    return _TENANT.match(name) is not None
