"""A database whose pgvector is older than what search relies on."""

import psycopg
import pytest

from mlplatform.database import migrate
from mlplatform.database.schema import MigrationError
from mlplatform.errors import DependencyUnavailable
from mlplatform.spaces.indexes.pgvector import OldVectorExtensionError, check_pgvector, ping_pgvector
from tests.fixtures.database import with_database


@pytest.fixture
def say(stack_env, database_urls):
    """Have the catalogue say another version."""

    def change(version: str) -> None:
        name = psycopg.conninfo.conninfo_to_dict(database_urls.owner)["dbname"]
        with psycopg.connect(with_database(stack_env["ML_DATABASE_ADMIN_URL"], name)) as connection:
            connection.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", (version,))

    return change


class TestCheck:
    async def test_accepts_the_one_of_the_stack(self, database):
        assert await check_pgvector(database) is None

    async def test_refuses_one_without_iterative_scans(self, database, say):
        say("0.7.4")

        with pytest.raises(OldVectorExtensionError, match=r"is 0\.7\.4.*ALTER EXTENSION vector UPDATE"):
            await check_pgvector(database)
        with pytest.raises(DependencyUnavailable):
            await ping_pgvector(database)

    async def test_warns_of_one_whose_vacuum_may_damage_an_index(self, database, say):
        say("0.8.2")

        assert "0.8.4" in await check_pgvector(database)


class TestMigration:
    def test_refuses_one_without_iterative_scans(self, database_urls, say):
        migrate.downgrade(database_urls.owner, "0012")
        say("0.7.4")

        with pytest.raises(MigrationError, match=r"pgvector is 0\.7\.4"):
            migrate.upgrade(database_urls.owner)

        assert migrate.current(database_urls.owner) == "0012"
