"""What happens before a route runs: who calls, may they, and how often."""

import ipaddress
from typing import Protocol

import structlog
from prometheus_client import Counter
from starlette.requests import Request

from mlplatform.audit.log import AuditLog
from mlplatform.auth.authenticator import Authenticator
from mlplatform.auth.errors import CredentialAmbiguous, CredentialRefused, Denial, PermissionMissing
from mlplatform.auth.principal import Principal
from mlplatform.auth.roles import ADMIN_PERMISSIONS, Permission
from mlplatform.errors.tree import DependencyUnavailable, RateLimited
from mlplatform.ratelimit import Decision, RateLimiter
from mlplatform.ratelimit.headers import STATE

IPV6_NETWORK = 64
DENIED = Counter("ml_access_denied", "Requests turned away, by reason.", ["reason"])


class Gatekeepers(Protocol):
    """The part of the kernel that decides on access."""

    authenticator: Authenticator
    limiter: RateLimiter
    audit: AuditLog


async def admit(request: Request, permission: Permission) -> Principal:
    """Return the caller once it is known, permitted and within its limit.

    Raises:
        CredentialRefused: the caller proved nothing.
        CredentialAmbiguous: the caller sent two credentials.
        PermissionMissing: the caller may not.
        RateLimited: the caller did it too often, or was turned away too often.
        DependencyUnavailable: who calls cannot be known now, or the route is an administrator's and limits are down.
    """
    gate: Gatekeepers = request.app.state.kernel
    try:
        principal = await gate.authenticator.authenticate(request.headers)
    except (CredentialRefused, CredentialAmbiguous) as denial:
        await _turn_away(gate, request, denial, None)
        raise
    if not principal.may(permission):
        missing = PermissionMissing(permission)
        await _turn_away(gate, request, missing, principal)
        raise missing
    if gate.limiter.enabled:
        await _limit(gate.limiter, request, principal, permission)
    request.state.principal = principal
    structlog.contextvars.bind_contextvars(tenant=principal.tenant)
    return principal


async def _turn_away(gate: Gatekeepers, request: Request, denial: Denial, principal: Principal | None) -> None:
    """Record the denial; one that comes too often is answered by 429, from buckets that permitted calls never touch."""
    client = client_of(request)
    DENIED.labels(denial.reason).inc()
    await gate.audit.denied(
        reason=denial.reason, resource=_resource_of(request), client=client, principal=principal, status=denial.status
    )
    if gate.limiter.enabled:
        _enforce(request, await gate.limiter.take("denied", client, "denied"))


async def _limit(limiter: RateLimiter, request: Request, principal: Principal, permission: Permission) -> None:
    if principal.method == "anonymous":
        decision = await limiter.take("client", client_of(request), permission.value)
    else:
        decision = await limiter.take(principal.method, f"{principal.tenant}\n{principal.subject}", permission.value)
    if decision is None and permission in ADMIN_PERMISSIONS:
        raise DependencyUnavailable("redis", "the rate limit of this route cannot be checked; try again shortly.")
    _enforce(request, decision)


def _enforce(request: Request, decision: Decision | None) -> None:
    if decision is None:
        return
    setattr(request.state, STATE, decision.headers())
    if not decision.allowed:
        raise RateLimited(
            f"too many requests: {decision.limit} at once, then wait; try again in {max(1, decision.retry_after)} s",
            headers=decision.headers(),
        )


def client_of(request: Request) -> str:
    """The address that the request came from; of IPv6 the network that one customer holds."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False))
    return host


def _resource_of(request: Request) -> str:
    """Method and route template, which, unlike the path, is not the caller's choice."""
    path = getattr(request.scope.get("route"), "path", "?")
    return f"{request.method} {path}"
