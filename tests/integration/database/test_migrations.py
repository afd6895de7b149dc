import asyncio
import socket
import sys

import psycopg
import pytest

from mlplatform.database import Database, SchemaError, check_schema, migrate
from mlplatform.database.schema import MigrationError, expected_revision
from tests.fixtures.database import DatabaseUrls

CATALOG = """
SELECT 'column' AS kind, attrelid::regclass || '.' || attname AS name,
    concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attacl) AS definition
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'policy', tablename || '.' || policyname, concat_ws(' ', roles, cmd, qual, with_check)
FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT 'rights', relname, concat_ws(' ', relacl::text, relrowsecurity, relforcerowsecurity)
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')
UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function', oid::regprocedure::text, concat_ws(' ', proacl::text, pg_get_functiondef(oid))
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
"""


def catalog(url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(url) as connection:
        return {tuple(row) for row in connection.execute(CATALOG)}


class TestUpgrade:
    def test_goes_up_down_and_up_again(self, empty_database: DatabaseUrls) -> None:
        assert migrate.current(empty_database.owner) is None
        migrate.upgrade(empty_database.owner)
        first = catalog(empty_database.owner)
        migrate.downgrade(empty_database.owner, "base")
        assert {name for _, name, _ in catalog(empty_database.owner)} <= {
            "alembic_version",
            "alembic_version.version_num",
            "alembic_version.alembic_version_pkc",
            "alembic_version.alembic_version_version_num_not_null",
            "alembic_version_pkc",
        }
        migrate.upgrade(empty_database.owner)
        assert catalog(empty_database.owner) == first
        assert migrate.current(empty_database.owner) == expected_revision()

    def test_batch_jobs_whose_items_are_in_their_chunks_survive_a_downgrade(self, empty_database: DatabaseUrls) -> None:
        migrate.upgrade(empty_database.owner)
        with psycopg.connect(empty_database.owner) as connection:
            connection.execute(
                """
                WITH job AS (
                    INSERT INTO batch_jobs (tenant_id, id, kind, model, params, items, subject, finish)
                    VALUES ('a', gen_random_uuid(), 'inline', '{}', '{}', 1, 'somebody', '[]') RETURNING id
                )
                INSERT INTO batch_chunks (tenant_id, job_id, number, first_item, item_count, input, source, kind)
                SELECT 'a', id, 0, 0, 1, '[1]'::bytea, NULL::json, 'score' FROM job
                UNION ALL SELECT 'a', id, 1, 0, 0, NULL, '{"type": "report"}'::json, 'finish' FROM job
                """
            )
        migrate.downgrade(empty_database.owner, "0016")
        with psycopg.connect(empty_database.owner) as connection:
            assert connection.execute("SELECT number, input FROM batch_chunks").fetchall() == [(0, b"[1]")]

    def test_a_downgrade_of_reservations_restores_what_was(self, empty_database: DatabaseUrls) -> None:
        migrate.upgrade(empty_database.owner, "0024")
        before = catalog(empty_database.owner)
        migrate.upgrade(empty_database.owner, "0025")
        migrate.downgrade(empty_database.owner, "0024")
        assert catalog(empty_database.owner) == before

    async def test_concurrent_upgrades_wait_for_each_other(self, empty_database: DatabaseUrls) -> None:
        program = "import sys; from mlplatform.database import migrate; migrate.upgrade(sys.stdin.read())"
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            for _ in range(2)
        ]
        answers = await asyncio.gather(*(each.communicate(empty_database.owner.encode()) for each in processes))
        assert [each.returncode for each in processes] == [0, 0], answers
        assert migrate.current(empty_database.owner) == expected_revision()

    def test_a_refusal_is_explained_and_leaves_nothing(self, empty_database: DatabaseUrls) -> None:
        with psycopg.connect(empty_database.owner) as connection:
            connection.execute("CREATE TABLE model_promotions (other integer)")
        with pytest.raises(MigrationError, match='"model_promotions" already exists'):
            migrate.upgrade(empty_database.owner)
        assert migrate.current(empty_database.owner) == "0002"

    def test_postgres_that_does_not_answer_is_explained(self) -> None:
        with socket.socket() as bound:  # bound and not listening: refused
            bound.bind(("127.0.0.1", 0))
            url = f"postgresql://nobody@127.0.0.1:{bound.getsockname()[1]}/none"
            with pytest.raises(MigrationError, match="Postgres refused"):
                migrate.current(url)

    def test_an_unknown_revision_is_named(self, empty_database: DatabaseUrls) -> None:
        with pytest.raises(MigrationError, match="9999"):
            migrate.upgrade(empty_database.owner, "9999")


class TestCheckSchema:
    async def test_accepts_a_current_database(self, database: Database) -> None:
        await check_schema(database)

    async def test_names_both_revisions_of_one_that_is_behind(
        self, database: Database, database_urls: DatabaseUrls
    ) -> None:
        migrate.downgrade(database_urls.owner, "0002")
        with pytest.raises(SchemaError, match=f"at revision 0002, this code needs {expected_revision()}: run `mlp db"):
            await check_schema(database)

    async def test_names_a_database_that_was_never_migrated(self, empty_database: DatabaseUrls) -> None:
        database = Database(empty_database.app, max_size=1)
        await database.open()
        with pytest.raises(SchemaError, match="at revision none"):
            await check_schema(database)
        await database.close()
