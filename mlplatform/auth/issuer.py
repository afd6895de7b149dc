"""Makes, lists, ends and replaces API keys, as the owner of the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from mlplatform.audit.log import AuditLog
from mlplatform.auth import repository
from mlplatform.auth.api_keys import PEPPER_BYTES, ApiKey, KeyForm, render
from mlplatform.auth.principal import SUBJECT_LENGTH, is_tenant
from mlplatform.auth.roles import Role
from mlplatform.database.pool import Database
from mlplatform.settings.base import PlatformSettings


class IssueError(Exception):
    """The key cannot be made, ended or replaced; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A fresh key and the text that its holder sends, which is known only now."""

    key: ApiKey
    text: str = field(repr=False)


class KeyIssuer:
    """Changes API keys, each time together with its audit event."""

    def __init__(self, settings: PlatformSettings, database: Database) -> None:
        pepper = b"" if settings.api_key_pepper is None else settings.api_key_pepper.get_secret_value().encode()
        self._form = KeyForm(pepper) if len(pepper) >= PEPPER_BYTES else None
        self._database = database
        self._audit = AuditLog(database)

    async def create(
        self, *, name: str, tenant: str, roles: Iterable[Role], ttl: timedelta | None, actor: str
    ) -> IssuedKey:
        """Make a key that lives for `ttl`, or until it is revoked.

        Raises:
            IssueError: a value has the wrong form, or there is no pepper.
            DependencyUnavailable: Postgres does not answer.
        """
        if not 0 < len(name) <= SUBJECT_LENGTH or not name.isprintable():
            raise IssueError(f"the name must be 1 to {SUBJECT_LENGTH} printable characters")
        if not is_tenant(tenant):
            raise IssueError("the tenant must be 1 to 63 of a-z, 0-9, - and _")
        names = sorted({role.value for role in roles})
        if not names:
            raise IssueError("a key needs at least one role")
        async with self._database.transaction() as connection:
            issued = await self._insert(
                connection, subject=None, name=name, tenant=tenant, roles=names, ttl=ttl, actor=actor
            )
            await self._audit.record(
                action="key.created",
                resource=f"api_key/{issued.key.prefix}",
                actor=actor,
                tenant=tenant,
                detail={"name": name, "roles": names, "expires_at": issued.key.expires_at},
                connection=connection,
            )
        return issued

    async def select(self, tenant: str | None) -> Sequence[ApiKey]:
        """Return the keys of the tenant, or of all, oldest first.

        Raises:
            DependencyUnavailable: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            return await repository.select(connection, tenant)

    async def revoke(self, prefix: str, *, actor: str) -> ApiKey:
        """End a key now; one that is revoked already stays as it is.

        Raises:
            IssueError: there is no such key.
            DependencyUnavailable: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            key = await _lock(connection, prefix)
            if key.revoked_at is None:
                await repository.revoke(connection, key.prefix)
                await self._audit.record(
                    action="key.revoked",
                    resource=f"api_key/{key.prefix}",
                    actor=actor,
                    tenant=key.tenant_id,
                    detail={"name": key.name},
                    connection=connection,
                )
        return key

    async def rotate(self, prefix: str, *, ttl: timedelta | None, overlap: timedelta, actor: str) -> IssuedKey:
        """Replace a key by one with the same subject, tenant and roles; the old one still works for `overlap`.

        Raises:
            IssueError: there is no such key, it does not work any more, it was replaced, or there is no pepper.
            DependencyUnavailable: Postgres does not answer.
        """
        async with self._database.transaction() as connection:
            old = await _lock(connection, prefix)
            now = datetime.now(UTC)
            if old.state(now) != "active":
                raise IssueError(f"the key {old.prefix} is {old.state(now)}; make a new one with `mlp keys create`")
            if old.replaced_by is not None:
                raise IssueError(f"the key {old.prefix} was already replaced by {old.replaced_by}; rotate that one")
            issued = await self._insert(
                connection,
                subject=old.subject,
                name=old.name,
                tenant=old.tenant_id,
                roles=old.roles,
                ttl=ttl,
                actor=actor,
            )
            ends = now + overlap
            await repository.replace(connection, old.prefix, replaced_by=issued.key.prefix, expires_at=ends)
            await self._audit.record(
                action="key.rotated",
                resource=f"api_key/{old.prefix}",
                actor=actor,
                tenant=old.tenant_id,
                detail={"name": old.name, "replaced_by": issued.key.prefix, "ends": ends},
                connection=connection,
            )
        return issued

    async def _insert(
        self,
        connection: AsyncConnection[DictRow],
        *,
        subject: str | None,
        name: str,
        tenant: str,
        roles: list[str],
        ttl: timedelta | None,
        actor: str,
    ) -> IssuedKey:
        if self._form is None:
            raise IssueError(f"ML_API_KEY_PEPPER is unset or shorter than {PEPPER_BYTES} bytes; `mlp up` generates one")
        prefix, secret = self._form.generate()
        now = datetime.now(UTC)
        key = ApiKey(
            prefix=prefix,
            secret_hmac=self._form.digest(secret),
            subject=subject or f"key:{prefix}",
            name=name,
            tenant_id=tenant,
            roles=roles,
            created_at=now,
            created_by=actor,
            expires_at=None if ttl is None else now + ttl,
            revoked_at=None,
            last_used_at=None,
            replaced_by=None,
        )
        await repository.insert(connection, key)
        return IssuedKey(key, render(prefix, secret))


async def _lock(connection: AsyncConnection[DictRow], prefix: str) -> ApiKey:
    key = await repository.lock(connection, prefix)
    if key is None:
        raise IssueError(f"there is no key {prefix}; `mlp keys list` names them")
    return key
