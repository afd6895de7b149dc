"""What Alembic runs around the migrations: one connection, one lock, one transaction per migration."""

from alembic import context
from sqlalchemy import text

from mlplatform.database.migrate import owner_engine

# Any constant will do, as long as nothing else takes the same advisory lock.
LOCK_ID = 4_707_131_518


def run() -> None:
    """Run the migrations that the caller asked for, one caller at a time."""
    with owner_engine(context.config.attributes["owner_url"]).connect() as connection:
        # Waiting for another operator's upgrade may take minutes. Waiting for a table lock must not: queries queue up
        # behind the waiting migration.
        connection.execute(text("SET lock_timeout = '5min'"))
        connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": LOCK_ID})
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


run()
