"""Who calls (JWT, API key), what they may do (roles), and how a route asks for it (require, public)."""

from mlplatform.auth.authenticator import Authenticator
from mlplatform.auth.dependency import public, require, route_permission
from mlplatform.auth.principal import Principal
from mlplatform.auth.roles import Permission, Role
from mlplatform.auth.tokens import MintingError, mint_token

__all__ = [
    "Authenticator",
    "MintingError",
    "Permission",
    "Principal",
    "Role",
    "mint_token",
    "public",
    "require",
    "route_permission",
]
