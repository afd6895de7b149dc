"""The statements that the database package itself sends."""

from collections.abc import Mapping
from functools import lru_cache

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

OPENINGS = 1024
"""Written statements that are kept; each tenant has a few."""


async def ping(connection: AsyncConnection[DictRow]) -> None:
    """Make one round trip."""
    await connection.execute("SELECT 1")


async def begin(connection: AsyncConnection[DictRow], settings: Mapping[str, str]) -> None:
    """Open a transaction, with settings that hold until it ends, in one round trip.

    Args:
        connection: One in autocommit mode.
        settings: Name → value, of Postgres or of the platform.
    """
    # Two statements at once have no parameters, and cannot be prepared.
    await connection.execute(_opening(*settings.items()), prepare=False)


async def apply_settings(connection: AsyncConnection[DictRow], settings: Mapping[str, str]) -> None:
    """Change settings until the transaction ends, in one round trip.

    Args:
        connection: A transaction.
        settings: Name → value, of Postgres or of the platform; at least one.
    """
    await connection.execute(_settings(*settings.items()), prepare=False)


@lru_cache(maxsize=OPENINGS)
def _opening(*settings: tuple[str, str]) -> bytes:
    return b"BEGIN; " + _settings(*settings) if settings else b"BEGIN"


@lru_cache(maxsize=OPENINGS)
def _settings(*settings: tuple[str, str]) -> bytes:
    values = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(values)).as_bytes()


async def read_revision(connection: AsyncConnection[DictRow]) -> str | None:
    """Return the Alembic revision that the database is at; None when it was never migrated.

    `to_regclass` comes first because naming a table that is not there would abort the transaction.
    """
    cursor = await connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL AS migrated")
    row = await cursor.fetchone()
    if row is None or not row["migrated"]:
        return None
    cursor = await connection.execute("SELECT version_num FROM alembic_version")
    row = await cursor.fetchone()
    return None if row is None else str(row["version_num"])
