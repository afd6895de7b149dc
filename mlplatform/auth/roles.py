"""What a caller may do, and which roles allow it."""

from collections.abc import Iterable
from enum import StrEnum


class Permission(StrEnum):
    """One per kind of route; a route declares exactly one."""

    READ = "read"
    PREDICT = "predict"
    EMBED = "embed"
    SEARCH = "search"
    INDEX = "index"
    REGISTER = "register"
    PROMOTE = "promote"
    KEYS = "keys"
    AUDIT = "audit"
    PUBLIC = "public"


class Role(StrEnum):
    """The names a token or an API key carries."""

    VIEWER = "viewer"
    USER = "user"
    PUBLISHER = "publisher"
    ML_ADMIN = "ml_admin"
    SERVICE = "service"


# Limits on these fail closed: without Redis they are refused rather than unlimited.
ADMIN_PERMISSIONS = frozenset({Permission.PROMOTE, Permission.KEYS, Permission.AUDIT})

_VIEWER = frozenset({Permission.READ})
_USER = _VIEWER | {Permission.PREDICT, Permission.EMBED, Permission.SEARCH}
_PUBLISHER = _USER | {Permission.INDEX, Permission.REGISTER}
PERMISSIONS = {
    Role.VIEWER: _VIEWER,
    Role.USER: _USER,
    Role.PUBLISHER: _PUBLISHER,
    Role.ML_ADMIN: _PUBLISHER | ADMIN_PERMISSIONS,
    Role.SERVICE: _USER | {Permission.INDEX},
}


def is_allowed(roles: Iterable[Role], permission: Permission) -> bool:
    """Whether any of the roles grants the permission."""
    return permission is Permission.PUBLIC or any(permission in PERMISSIONS[role] for role in roles)


def known_roles(names: Iterable[object]) -> frozenset[Role]:
    """The roles among the names; unknown names are ignored, since an issuer may serve other programs too."""
    values = {role.value for role in Role}
    return frozenset(Role(name) for name in names if isinstance(name, str) and name in values)
