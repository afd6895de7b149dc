"""The statements that the database package itself sends."""

from psycopg import AsyncConnection
from psycopg.rows import DictRow


async def ping(connection: AsyncConnection[DictRow]) -> None:
    """Make one round trip."""
    await connection.execute("SELECT 1")


async def set_tenant(connection: AsyncConnection[DictRow], tenant: str) -> None:
    """Let row-level security show and accept only the rows of `tenant`, until the transaction ends."""
    await connection.execute("SELECT set_config('ml.tenant', %s, true)", (tenant,))


async def set_reader(connection: AsyncConnection[DictRow], tenant: str) -> None:
    """Do as `set_tenant`, and let each statement be planned once per connection, not anew for its values.

    Planning takes about as long as a short statement, and Postgres's own choice is to plan anew wherever a limit or an
    array is given. A plan may be kept from a time when the tables were small, so it reads a whole one only where no
    index serves. None is compiled: that takes longer than any of them runs.
    """
    await connection.execute(
        """
        SELECT set_config('ml.tenant', %s, true), set_config('plan_cache_mode', 'force_generic_plan', true),
            set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)
        """,
        (tenant,),
    )


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
