import asyncio
import socket
from datetime import timedelta

import psycopg
import pytest

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from tests.fixtures.database import DatabaseUrls

SOON = timedelta(milliseconds=200)


def end_connections(owner: DatabaseUrls, admin_url: str) -> None:
    """End every connection of services, as a restart of Postgres does, and return when they are gone."""
    name = psycopg.conninfo.conninfo_to_dict(owner.app)["dbname"]
    with psycopg.connect(admin_url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s AND usename = 'ml_app'",
            (name,),
        )


class TestOpen:
    async def test_does_not_need_postgres(self) -> None:
        with socket.socket() as bound:  # bound and not listening: refused
            bound.bind(("127.0.0.1", 0))
            url = f"postgresql://nobody@127.0.0.1:{bound.getsockname()[1]}/none"
            database = Database(url, acquire_timeout=SOON)
            await database.open()
            with pytest.raises(DependencyUnavailable, match="postgres"):
                await database.ping()
            await database.close()


class TestTransaction:
    async def test_works_again_after_postgres_ended_every_connection(
        self, database: Database, database_urls: DatabaseUrls, stack_env: dict[str, str]
    ) -> None:
        await database.ping()
        end_connections(database_urls, stack_env["ML_DATABASE_ADMIN_URL"])
        await database.ping()

    async def test_a_connection_lost_in_use_is_replaced(
        self, database: Database, database_urls: DatabaseUrls, stack_env: dict[str, str]
    ) -> None:
        async def lose_the_connection() -> None:
            async with database.transaction() as connection:
                end_connections(database_urls, stack_env["ML_DATABASE_ADMIN_URL"])
                await connection.execute("SELECT 1")

        with pytest.raises(psycopg.OperationalError):
            await lose_the_connection()
        await database.ping()

    async def test_waits_no_longer_than_told_for_a_connection(self, database_urls: DatabaseUrls) -> None:
        database = Database(database_urls.app, max_size=1, acquire_timeout=SOON)
        await database.open()
        async with database.transaction():
            with pytest.raises(DependencyUnavailable, match="postgres"):
                await database.ping()
        await database.ping()
        await database.close()

    async def test_ends_a_statement_that_takes_too_long(self, database_urls: DatabaseUrls) -> None:
        database = Database(database_urls.app, statement_timeout=SOON)
        await database.open()
        with pytest.raises(psycopg.errors.QueryCanceled):
            async with database.transaction() as connection:
                await connection.execute("SELECT pg_sleep(60)")
        await database.ping()
        await database.close()

    async def test_keeps_the_options_of_the_url(self, database_urls: DatabaseUrls) -> None:
        database = Database(f"{database_urls.app}?options=-c%20work_mem%3D7MB")
        await database.open()
        async with database.transaction() as connection:
            row = await (await connection.execute("SHOW work_mem")).fetchone()
        assert row == {"work_mem": "7MB"}
        await database.close()


class TestClose:
    async def test_later_callers_are_refused(self, database_urls: DatabaseUrls) -> None:
        database = Database(database_urls.app)
        await database.open()
        await database.close()
        with pytest.raises(DependencyUnavailable):
            await database.ping()


class TestTenant:
    """Databases of one connection: what one block leaves behind, the next one meets."""

    SEEN = "SELECT current_setting('ml.tenant', true) AS tenant"

    async def tenant(self, database: Database) -> str:
        async with database.transaction("acme") as connection:
            cursor = await connection.execute(self.SEEN)
            return (await cursor.fetchone())["tenant"]

    async def test_acts_for_the_tenant_until_it_ends(self, database: Database) -> None:
        assert await self.tenant(database) == "acme"
        async with database.transaction() as connection:
            cursor = await connection.execute(self.SEEN)
            assert not (await cursor.fetchone())["tenant"]

    async def test_a_name_is_no_sql(self, database: Database) -> None:
        name = "o'brien'; DROP TABLE tenants; --"
        async with database.transaction(name) as connection:
            cursor = await connection.execute(self.SEEN)
            assert (await cursor.fetchone())["tenant"] == name

    async def test_a_statement_is_planned_once_whatever_it_is_given(self, database_urls: DatabaseUrls) -> None:
        database = Database(database_urls.app, max_size=1)
        await database.open()
        for number in range(1, 9):
            async with database.reading("acme") as connection:
                numbers = list(range(number))
                await connection.execute("SELECT g FROM generate_series(1, 9) g WHERE g = ANY (%s::int[])", (numbers,))
        async with database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT generic_plans > 0 AS kept, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
                ("%generate_series%",),
            )
            assert await cursor.fetchone() == {"kept": True, "custom_plans": 0}
            cursor = await connection.execute("SHOW plan_cache_mode")
            assert await cursor.fetchone() == {"plan_cache_mode": "auto"}
        await database.close()

    async def test_statements_see_what_those_before_set(self, database: Database) -> None:
        async with database.transaction("acme") as connection:
            await connection.execute("SELECT set_config('ml.probe', 'set', true)")
            cursor = await connection.execute("SELECT current_setting('ml.probe', true) AS probe")
            assert (await cursor.fetchone())["probe"] == "set"
        async with database.transaction("acme") as connection:
            cursor = await connection.execute("SELECT current_setting('ml.probe', true) AS probe")
            assert not (await cursor.fetchone())["probe"]

    async def test_a_failed_statement_leaves_the_connection_usable(
        self, database: Database, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def fail() -> None:
            async with database.transaction("acme") as connection:
                cursor = await connection.execute("SELECT 1 / 0")
                await cursor.fetchone()

        for _ in range(3):
            with pytest.raises(psycopg.errors.DivisionByZero):
                await fail()
        assert await self.tenant(database) == "acme"
        assert caplog.records == []

    async def test_what_a_failed_block_wrote_is_gone(self, database: Database) -> None:
        async def write_and_fail() -> None:
            async with database.transaction("acme") as connection:
                await connection.execute("INSERT INTO tenants (tenant_id) VALUES ('lost')")
                raise LookupError

        with pytest.raises(LookupError):
            await write_and_fail()
        async with database.transaction("acme") as connection:
            cursor = await connection.execute("SELECT count(*) AS tenants FROM tenants WHERE tenant_id = 'lost'")
            assert (await cursor.fetchone())["tenants"] == 0

    async def test_a_block_that_is_given_up_leaves_a_usable_connection(self, database: Database) -> None:
        async def wait_long() -> None:
            async with asyncio.timeout(0.3), database.transaction("acme") as connection:
                cursor = await connection.execute("SELECT pg_sleep(60)")
                await cursor.fetchone()

        with pytest.raises(TimeoutError):
            await wait_long()
        assert await self.tenant(database) == "acme"

    async def test_a_block_may_ask_for_its_roll_back(self, database: Database) -> None:
        async with database.transaction("acme") as connection:
            await connection.execute("INSERT INTO tenants (tenant_id) VALUES ('lost')")
            raise psycopg.Rollback
        async with database.transaction() as connection:
            cursor = await connection.execute("SELECT count(*) AS tenants FROM tenants WHERE tenant_id = 'lost'")
            assert (await cursor.fetchone())["tenants"] == 0

    async def test_a_part_of_it_may_be_rolled_back_alone(self, database: Database) -> None:
        async with database.transaction("acme") as connection:
            with pytest.raises(psycopg.errors.DivisionByZero):
                async with connection.transaction():
                    await connection.execute("SELECT 1 / 0")
            cursor = await connection.execute(self.SEEN)
            assert (await cursor.fetchone())["tenant"] == "acme"
