"""Which revision of the schema this code was written for."""

from pathlib import Path

from mlplatform.database import repository
from mlplatform.database.pool import Database

MIGRATIONS = Path(__file__).parents[2] / "migrations"


class MigrationError(RuntimeError):
    """The database could not be migrated; what the last migration began is rolled back."""


class SchemaError(RuntimeError):
    """The database lacks migrations that this code relies on."""


def expected_revision() -> str:
    """Return the newest revision among the migration files.

    Revisions are numbered, `0002_outbox.py`, so the file names suffice and a service need not load Alembic.
    """
    return max(path.name.split("_", 1)[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


async def check_schema(database: Database) -> None:
    """Fail when the database is behind this code; one that is ahead is served, so that upgrades can roll.

    Raises:
        SchemaError: naming both revisions and the command that mends it.
        psycopg.OperationalError: when Postgres does not answer.
    """
    async with database.transaction() as connection:
        revision = await repository.read_revision(connection)
    expected = expected_revision()
    if revision is None or revision < expected:
        raise SchemaError(
            f"the database schema is at revision {revision or 'none'}, this code needs {expected}: run `mlp db upgrade`"
        )
