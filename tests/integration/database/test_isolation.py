import psycopg
import pytest

from mlplatform.database import Database

INSERT = """
    INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256)
    VALUES (%s, 'note', '1', 'text', repeat('0', 64))
"""


async def seen(database: Database, tenant: str | None) -> int:
    async with database.transaction(tenant) as connection:
        cursor = await connection.execute("SELECT entity_id FROM search_items")
        return len(await cursor.fetchall())


@pytest.fixture
async def acme_has_an_item(database: Database) -> None:
    async with database.transaction("acme") as connection:
        await connection.execute(INSERT, ("acme",))


@pytest.mark.usefixtures("acme_has_an_item")
class TestTransaction:
    async def test_a_tenant_sees_its_own_rows_only(self, database: Database) -> None:
        assert await seen(database, "acme") == 1
        assert await seen(database, "other") == 0

    async def test_without_a_tenant_no_row_is_seen(self, database: Database) -> None:
        # The pool has one connection: the tenant of the transaction before must be gone from it.
        assert await seen(database, "acme") == 1
        assert await seen(database, None) == 0

    async def test_a_tenant_cannot_write_for_another(self, database: Database) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            async with database.transaction("other") as connection:
                await connection.execute(INSERT, ("acme",))

    @pytest.mark.parametrize("statement", ["DELETE FROM search_items", "UPDATE search_items SET text = 'mine'"])
    async def test_a_tenant_cannot_change_the_rows_of_another(self, database: Database, statement: str) -> None:
        async with database.transaction("other") as connection:
            cursor = await connection.execute(statement)
            assert cursor.rowcount == 0
        assert await seen(database, "acme") == 1

    async def test_a_tenant_cannot_hand_its_row_to_another(self, database: Database) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction("acme") as connection:
                await connection.execute("UPDATE search_items SET tenant_id = 'other'")

    async def test_an_empty_tenant_is_refused(self, database: Database) -> None:
        with pytest.raises(ValueError, match="must not be empty"):
            async with database.transaction(""):
                pass

    async def test_what_a_failed_block_wrote_is_gone(self, database: Database) -> None:
        async def write_and_fail() -> None:
            async with database.transaction("other") as connection:
                await connection.execute(INSERT, ("other",))
                raise LookupError

        with pytest.raises(LookupError):
            await write_and_fail()
        assert await seen(database, "other") == 0
