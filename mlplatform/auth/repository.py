"""The SQL of API keys. Services may call only `find` and `touch`; the rest is the owner's (migration 0001)."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow, class_row

from mlplatform.auth.api_keys import ApiKey


async def find(connection: AsyncConnection[DictRow], prefix: str) -> ApiKey | None:
    """Return the key with that prefix."""
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        await cursor.execute("SELECT * FROM find_api_key(%s)", (prefix,))
        return await cursor.fetchone()


async def touch(connection: AsyncConnection[DictRow], prefix: str) -> None:
    """Note that the key was used; at most one write a minute for a key."""
    await connection.execute("SELECT touch_api_key(%s)", (prefix,))


async def insert(connection: AsyncConnection[DictRow], key: ApiKey) -> None:
    """Store a key, and its tenant when that is new."""
    await connection.execute(
        "INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT (tenant_id) DO NOTHING", (key.tenant_id,)
    )
    await connection.execute(
        """
        INSERT INTO api_keys (prefix, secret_hmac, subject, name, tenant_id, roles, created_at, created_by, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            key.prefix,
            key.secret_hmac,
            key.subject,
            key.name,
            key.tenant_id,
            key.roles,
            key.created_at,
            key.created_by,
            key.expires_at,
        ),
    )


async def lock(connection: AsyncConnection[DictRow], prefix: str) -> ApiKey | None:
    """Return the key with that prefix and hold its row until the transaction ends."""
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        await cursor.execute("SELECT * FROM api_keys WHERE prefix = %s FOR UPDATE", (prefix,))
        return await cursor.fetchone()


async def select(connection: AsyncConnection[DictRow], tenant: str | None) -> Sequence[ApiKey]:
    """Return the keys of the tenant, or of all, oldest first."""
    async with connection.cursor(row_factory=class_row(ApiKey)) as cursor:
        await cursor.execute(
            "SELECT * FROM api_keys WHERE tenant_id = coalesce(%s, tenant_id) ORDER BY created_at, prefix", (tenant,)
        )
        return await cursor.fetchall()


async def revoke(connection: AsyncConnection[DictRow], prefix: str) -> None:
    """End the key now."""
    await connection.execute("UPDATE api_keys SET revoked_at = now() WHERE prefix = %s", (prefix,))


async def replace(connection: AsyncConnection[DictRow], prefix: str, *, replaced_by: str, expires_at: datetime) -> None:
    """Let the key live until `expires_at` beside the one that replaces it."""
    await connection.execute(
        "UPDATE api_keys SET replaced_by = %s, expires_at = least(expires_at, %s) WHERE prefix = %s",
        (replaced_by, expires_at, prefix),
    )
