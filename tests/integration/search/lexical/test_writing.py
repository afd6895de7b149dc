import asyncio
from datetime import timedelta
from functools import partial

import psycopg
import pytest

from services.search import repository
from services.search.items import Item
from services.search.lexical import LexicalMaintenance
from tests.fixtures.database import DatabaseUrls
from tests.integration.embedding.waiting import eventually
from tests.integration.search.lexical.shelf import Shelf

LEFT = """
SELECT (SELECT count(*) FROM search_documents) AS stored, (SELECT count(*) FROM search_postings) AS postings,
    (SELECT coalesce(sum(documents), 0)::int FROM search_segments) AS documents,
    (SELECT coalesce(sum(tokens), 0)::int FROM search_segments) AS tokens
"""
COUNTS = """
SELECT term, sum(added - removed)::int FROM search_postings GROUP BY term HAVING sum(added - removed) <> 0 ORDER BY term
"""


async def stored(shelf: Shelf) -> bool:
    """Store an item; False where the pool still hands out connections that the server has ended."""
    try:
        await shelf.put(a="yak")
    except psycopg.OperationalError:
        return False
    return True


async def merged(shelf: Shelf) -> bool:
    [(segments,)] = await shelf.rows("SELECT count(*) FROM search_segments")
    return int(str(segments)) < 8


class TestTransaction:
    async def test_what_is_rolled_back_leaves_no_trace(self, shelf):
        await shelf.put(a="yak")
        before = await shelf.scores("yak gnu")

        async with shelf.database.transaction("acme") as connection:
            await repository.save_items(connection, [Item("doc", "b", "yak gnu"), Item("doc", "a", "gnu")])
            await repository.delete_items(connection, "doc", ["a"])
            raise psycopg.Rollback

        assert await shelf.scores("yak gnu") == before
        assert await shelf.rows(COUNTS) == [("yak", 1)]

    async def test_a_connection_that_dies_before_the_commit_leaves_none_either(
        self, shelf, database_urls: DatabaseUrls, stack_env
    ):
        await shelf.put(a="yak")
        connection = await psycopg.AsyncConnection.connect(database_urls.app, row_factory=psycopg.rows.dict_row)
        await connection.execute("SELECT set_config('ml.tenant', 'acme', false)")
        await repository.save_items(connection, [Item("doc", "b", "yak gnu")])
        with psycopg.connect(stack_env["ML_DATABASE_ADMIN_URL"], autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        await connection.close()

        assert await shelf.found("yak gnu") == ["a"]
        assert await shelf.rows(COUNTS) == [("yak", 1)]

    async def test_writers_of_the_same_words_do_not_wait_for_each_other(self, shelf):
        async with shelf.database.transaction("acme") as connection:
            await repository.save_items(connection, [Item("doc", "a", "yak gnu")])
            await repository.delete_items(connection, "doc", ["a"])
            async with asyncio.timeout(20):
                await shelf.put(b="gnu yak")
                await shelf.put(b="yak")
                assert await shelf.found("gnu yak") == ["b"]

    async def test_nor_for_a_merge_that_has_not_ended(self, shelf, maintenance, database_urls):
        for number in range(10):
            await shelf.put(**{str(number): "yak"})
        async with await psycopg.AsyncConnection.connect(database_urls.app) as connection:
            merged = await (await connection.execute("SELECT merge_search_segments()")).fetchone()
            async with asyncio.timeout(20):
                await shelf.put(a="yak")
                await shelf.delete("0")
                assert len(await shelf.found("yak", limit=20)) == 10
                assert await maintenance.step() is False  # another replica passes over the tenant
            await connection.commit()

        assert merged == (10,)
        assert len(await shelf.found("yak", limit=20)) == 10

    async def test_many_at_once_on_the_same_items_end_without_a_deadlock(self, shelf):
        async def write(seed: int) -> None:
            for step in range(6):
                keys = [str((seed + step + i) % 5) for i in range(3)]
                await shelf.put(**dict.fromkeys(keys, f"yak gnu{seed} topi{step}"))
                await shelf.delete(keys[0])

        await asyncio.gather(*(write(seed) for seed in range(4)))

        alive = {key for (key,) in await shelf.rows("SELECT entity_id FROM search_items")}
        assert set(await shelf.found("yak", limit=100)) == alive
        assert await shelf.rows("SELECT sum(documents)::int FROM search_segments") == [(len(alive),)]


class TestUpdate:
    async def test_the_old_words_find_nothing_and_are_not_counted(self, shelf):
        await shelf.put(a="yak yak gnu", b="yak")
        await shelf.put(a="zebu")

        assert await shelf.found("gnu") == []
        assert await shelf.rows(COUNTS) == [("yak", 1), ("zebu", 1)]
        assert await shelf.rows(
            "SELECT sum(tokens)::int AS tokens, sum(documents)::int AS items FROM search_segments"
        ) == [(2, 2)]

    async def test_an_unchanged_text_is_not_indexed_again(self, shelf):
        await shelf.put(a="yak")
        before = await shelf.rows("SELECT number FROM search_documents")
        await shelf.save(Item("doc", "a", "yak", {"new": True}, ["tag"]))

        assert await shelf.rows("SELECT number FROM search_documents") == before
        assert await shelf.rows("SELECT count(*) FROM search_postings") == [(1,)]

    async def test_a_change_of_state_is_not_indexed(self, shelf):
        await shelf.put(a="yak")
        await shelf.rows("UPDATE search_items SET state = 'embedded' RETURNING 1")

        assert await shelf.rows("SELECT count(*) FROM search_postings") == [(1,)]
        assert await shelf.found("yak") == ["a"]

    async def test_very_many_at_once_are_told_apart_after_few_in_one_session(self, shelf):
        await shelf.put(**{"0": "yak"})
        async with shelf.database.transaction(shelf.tenant) as connection:
            await connection.execute("SET LOCAL statement_timeout = '60s'")
            for _ in range(8):  # so that the session has made up its plan for few
                await connection.execute("UPDATE search_items SET state = 'pending'")
            await connection.execute(
                "INSERT INTO search_items (tenant_id, entity_type, entity_id, text, content_sha256) "
                "SELECT 'acme', 'doc', n::text, 'yak', repeat('0', 64) FROM generate_series(1, 59999) n"
            )
            await connection.execute(
                "UPDATE search_items SET state = 'embedded', "
                "text = CASE WHEN entity_id::int % 1000 = 0 THEN 'zebu' ELSE text END"
            )

        assert await shelf.rows(COUNTS) == [("yak", 59_940), ("zebu", 60)]

    async def test_other_writers_than_the_service_cannot_forget_the_words(self, shelf):
        await shelf.put(a="yak", b="yak")
        await shelf.rows("UPDATE search_items SET text = 'zebu' WHERE entity_id = 'a' RETURNING 1")
        await shelf.rows("DELETE FROM search_items WHERE entity_id = 'b' RETURNING 1")

        assert await shelf.found("yak zebu") == ["a"]
        assert await shelf.rows(COUNTS) == [("zebu", 1)]


class TestDelete:
    async def test_leaves_the_scores_as_if_the_item_had_never_been(self, shelf, other):
        await shelf.put(a="yak gnu", b="yak topi topi", c="gnu")
        await other.put(a="yak gnu", b="yak topi topi", c="gnu", d="yak kudu kudu kudu kudu")
        await other.delete("d")

        assert await other.scores("yak gnu topi") == await shelf.scores("yak gnu topi")

    async def test_leaves_nothing_once_maintained(self, shelf, maintenance):
        await shelf.put(**{str(number): f"yak word{number}" for number in range(20)})
        for number in range(20):
            await shelf.delete(str(number))
        await maintenance.settle()

        assert await shelf.rows(LEFT) == [(0, 0, 0, 0)]

    async def test_leaves_no_word_after_a_day_however_few_are_deleted(self, shelf, maintenance, database_urls):
        await shelf.put(**{str(number): f"yak gnu{number}" for number in range(30)}, gone="yak secret")
        await shelf.delete("gone")
        await maintenance.settle()
        words = "SELECT term FROM search_postings WHERE term = 'secret' OR removed > 0 ORDER BY term"
        assert await shelf.rows(words) != []  # few are dead, and taking them out costs more than they do
        before = await shelf.scores("yak gnu3", limit=100)

        with psycopg.connect(database_urls.owner) as owner:
            owner.execute("UPDATE search_segments SET oldest = oldest - interval '2 days'")
        await maintenance.settle()

        assert await shelf.rows(words) == []
        assert await shelf.rows("SELECT sum(removed)::int, count(oldest) FROM search_segments") == [(0, 0)]
        assert await shelf.scores("yak gnu3", limit=100) == before


class TestMaintenance:
    async def test_merges_without_any_change_of_the_answers(self, shelf, maintenance):
        for number in range(40):
            await shelf.put(**{str(number): f"yak gnu{number % 7} topi{number % 3}"})
        before = await shelf.scores("yak gnu3 topi1")

        await maintenance.settle()

        assert await shelf.scores("yak gnu3 topi1") == before
        segments = await shelf.rows("SELECT count(*) FROM search_segments")
        assert segments[0][0] < 8

    async def test_indexes_items_from_before_the_words_were_kept(self, shelf, maintenance, database_urls):
        await shelf.put(**{str(number): "yak" for number in range(30)})
        with psycopg.connect(database_urls.owner) as owner:
            owner.execute("TRUNCATE search_documents, search_postings, search_segments")
            owner.execute("ALTER TABLE search_items DISABLE TRIGGER USER")
            owner.execute("UPDATE search_items SET number = NULL")
            owner.execute("ALTER TABLE search_items ENABLE TRIGGER USER")
        assert await shelf.found("yak") == []
        await shelf.put(**{"3": "zebu"})
        await shelf.put(**{"4": "yak"})
        await shelf.delete("5")
        assert await shelf.found("yak zebu") == ["3", "4"]

        await maintenance.settle()

        assert len(await shelf.found("yak", limit=100)) == 28
        assert await shelf.rows("SELECT sum(documents)::int FROM search_segments") == [(29,)]

    async def test_runs_beside_the_service_through_an_outage(self, shelf, database, database_urls, stack_env):
        maintenance = LexicalMaintenance(database, interval=timedelta(seconds=0.05))
        task = asyncio.create_task(maintenance.run())
        with psycopg.connect(stack_env["ML_DATABASE_ADMIN_URL"], autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (database_urls.app.rpartition("/")[2],),
            )
        await eventually(partial(stored, shelf))
        for number in range(20):
            await shelf.put(**{str(number): "yak"})
        await eventually(partial(merged, shelf))
        maintenance.stop()
        await task

        assert len(await shelf.found("yak", limit=100)) == 21


class TestRights:
    @pytest.mark.parametrize("table", ["search_documents", "search_postings", "search_segments", "search_languages"])
    async def test_the_service_reads_its_tenant_and_writes_nothing(self, shelf: Shelf, other: Shelf, table):
        await shelf.put(a="yak")
        async with shelf.database.transaction("acme") as connection:
            await connection.execute("SELECT set_search_language('doc', 'simple')")

        assert (await shelf.rows(f"SELECT count(*) > 0 FROM {table}")) == [(True,)]  # noqa: S608 - a name of ours
        assert (await other.rows(f"SELECT count(*) FROM {table}")) == [(0,)]  # noqa: S608 - a name of ours
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await shelf.rows(f"DELETE FROM {table} RETURNING 1")  # noqa: S608 - a name of ours

    @pytest.mark.parametrize(
        "call",
        [
            "retire_search_documents('{}', '{}')",
            "index_search_items()",
            "search_level(1)",
        ],
    )
    async def test_inner_functions_are_not_the_services_to_call(self, shelf, call):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await shelf.rows(f"SELECT {call}")

    async def test_without_a_tenant_there_is_nothing_to_read_and_no_language_to_set(self, shelf):
        await shelf.put(a="yak")
        async with shelf.database.transaction() as connection:
            cursor = await connection.execute("SELECT 1 FROM search_postings UNION ALL SELECT 1 FROM search_documents")
            assert await cursor.fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with shelf.database.transaction() as connection:
                await connection.execute("SELECT set_search_language('doc', 'german')")
