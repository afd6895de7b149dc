"""Transactions that the steps of a query share."""

import asyncio

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg.pq import TransactionStatus

from mlplatform.database import Database
from services.search import searcher
from services.search.lexical import repository as lexical_repository
from services.search.query import vector_repository
from services.search.query.course import Course
from services.search.query.reading import Reading
from tests.integration.embedding.waiting import eventually
from tests.integration.search.api import item


@pytest.fixture
def settings(settings):
    """Settings with one connection for everything."""
    return settings.model_copy(update={"database_pool_size": 1})


@pytest.fixture
async def many(api, node):
    """More items than candidates."""
    await api.index_and_wait(*(item(f"{n:03}", f"fruit number{n} {'red' if n % 3 else 'ripe'}") for n in range(90)))
    return api


class TestOneConnection:
    @pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical"])
    async def test_is_enough_for_queries_side_by_side(self, many, mode):
        answers = await asyncio.gather(
            *(many.search(f"ripe fruit number{n}", mode=mode, limit=50, offset=n, facets=["tags"]) for n in range(8))
        )
        assert [(answer.status_code, answer.json()["degraded"]) for answer in answers] == [(200, [])] * 8

    async def test_a_leg_that_fails_leaves_a_transaction_for_the_items(self, many, monkeypatch):
        async def fail(connection, *_, **__):
            await connection.execute("SELECT 1 / 0")

        for name in ("search_hnsw", "search_hnsw_and_compare"):
            monkeypatch.setattr(f"services.search.query.vector_repository.{name}", fail)

        answer = (await many.search("ripe fruit", limit=5)).json()

        assert (answer["degraded"], len(answer["results"])) == (["vector"], 5)


class TestTwoTransactions:
    """Words that take longer than the query's vector are searched in a transaction of their own."""

    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(update={"database_pool_size": 4})

    @pytest.fixture
    def slow_words(self, monkeypatch):
        """Have words found while vectors are searched."""
        walking, found = asyncio.Event(), asyncio.Event()
        walk, read = vector_repository.search_hnsw, lexical_repository.read_scorer

        async def slow_walk(*given, **more):
            walking.set()
            await found.wait()
            return await walk(*given, **more)

        async def slow_read(*given):
            await walking.wait()
            scorer = await read(*given)
            found.set()
            return scorer

        monkeypatch.setattr(vector_repository, "search_hnsw", slow_walk)
        monkeypatch.setattr(lexical_repository, "read_scorer", slow_read)

    @pytest.mark.usefixtures("slow_words")
    async def test_neither_is_held_while_results_are_re_ranked(self, many, monkeypatch, app, embedding_server):
        embedding_server.favourite = "ripe"
        apply = app.state.searcher._reranking.apply
        used = []

        async def look(*given):
            await eventually(lambda: connections() == 0, 10)
            used.append(connections())
            return await apply(*given)

        def connections():
            return REGISTRY.get_sample_value("ml_database_pool_connections", {"state": "used"})

        monkeypatch.setattr(app.state.searcher._reranking, "apply", look)

        answer = (await many.search("ripe fruit", limit=5, rerank=5)).json()

        assert (answer["degraded"], answer["reranker"], used) == ([], "text-reranker:7", [0])

    @pytest.mark.usefixtures("slow_words")
    async def test_what_words_found_is_shown_though_it_cannot_be_compared(self, many, monkeypatch):
        async def fail(connection, *_):
            await connection.execute("SELECT 1 / 0")

        monkeypatch.setattr(vector_repository, "compare", fail)

        answer = (await many.search("number7 fruit", limit=50, explain=True)).json()

        by_words = [one for one in answer["results"] if one["explain"]["lexical"]["rank"]]
        assert (answer["degraded"], by_words[0]["entity_id"]) == ([], "007")

    @pytest.mark.usefixtures("slow_words")
    async def test_a_ranking_without_all_similarities_is_not_kept(self, many, monkeypatch):
        compare = vector_repository.compare

        async def fail_once(connection, *_):
            monkeypatch.setattr(vector_repository, "compare", compare)
            await connection.execute("SELECT 1 / 0")

        async def scores(**more):
            answer = (await many.search("number7 fruit", limit=10, **more)).json()
            return [(one["entity_id"], one["score"]) for one in answer["results"]]

        monkeypatch.setattr(vector_repository, "compare", fail_once)
        without = await scores()

        assert await scores() == await scores(explain=True) != without

    @pytest.mark.usefixtures("quick_words")
    async def test_an_item_that_changes_between_its_words_and_its_name_is_found(self, many, monkeypatch):
        """With its text it gets another number."""
        search, changed = vector_repository.search_hnsw_and_compare, []

        async def change_first(*given, **more):
            if not changed:
                changed.append(await many.index(item("007", "fruit number7, and it is sweet")))
            return await search(*given, **more)

        monkeypatch.setattr(vector_repository, "search_hnsw_and_compare", change_first)

        answer = (await many.search("number7", limit=50, explain=True)).json()

        by_words = [one["entity_id"] for one in answer["results"] if one["explain"]["lexical"]["rank"]]
        assert (changed[0].status_code, by_words) == (202, ["007"])

    @pytest.mark.usefixtures("quick_words")
    async def test_words_are_not_searched_again_once_the_time_of_the_query_is_over(self, many, monkeypatch):
        """What they found otherwise counts."""
        search, courses = vector_repository.search_hnsw_and_compare, []

        class Observed(Course):
            def __init__(self, *given, **more):
                super().__init__(*given, **more)
                courses.append(self)

        async def change_first(*given, **more):
            await many.index(item("007", "fruit number7, and it is sweet"))
            courses[-1]._end = 0.0
            return await search(*given, **more)

        monkeypatch.setattr(searcher, "Course", Observed)
        monkeypatch.setattr(vector_repository, "search_hnsw_and_compare", change_first)

        answer = (await many.search("number7 number8", limit=5, explain=True)).json()

        assert (answer["degraded"], answer["complete"], len(answer["results"])) == ([], False, 5)
        assert "lexical search took too long" in answer["reason"]
        assert [one["entity_id"] for one in answer["results"] if one["explain"]["lexical"]["rank"]] == ["008"]

    async def test_nobody_searches_words_any_more_once_the_caller_has_gone(self, many, monkeypatch):
        """Else they would be searched on a connection that somebody else has by then."""
        searching, ended = asyncio.Event(), []
        close = Reading.close

        async def wait(*_):
            searching.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        async def leave(reading):
            await searching.wait()
            asyncio.current_task().cancel()
            await close(reading)

        monkeypatch.setattr(lexical_repository, "read_scorer", wait)
        monkeypatch.setattr(Reading, "close", leave)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(many.search("ripe fruit", limit=5))

        assert ended == [True]


class TestReading:
    async def test_steps_share_a_transaction(self, database: Database):
        async with Reading(database, "acme") as reading:
            first, second = await reading.connection(), await reading.connection()
            row = await (await second.execute("SELECT current_setting('ml.tenant') AS tenant")).fetchone()

        assert first is second
        assert row == {"tenant": "acme"}

    async def test_after_a_failure_there_is_another_one(self, database: Database):
        async with Reading(database, "acme") as reading:
            with pytest.raises(psycopg.errors.DivisionByZero) as raised:
                await (await reading.connection()).execute("SELECT 1 / 0")
            await reading.abandon(raised.value)
            row = await (await (await reading.connection()).execute("SELECT 1 AS one")).fetchone()

        assert row == {"one": 1}

    async def test_nothing_can_be_written_in_it(self, database: Database):
        async with Reading(database, "acme") as reading:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await (await reading.connection()).execute("INSERT INTO tenants (tenant_id) VALUES ('acme')")

    async def test_settings_that_it_was_opened_without_are_made_up_for(self, database: Database):
        async with Reading(database, "acme", {"work_mem": "5MB"}) as reading:
            first = await reading.connection({"enable_sort": "off"})
            second = await reading.connection({"enable_sort": "off", "work_mem": "6MB", "enable_material": "off"})
            shown = [
                (await (await second.execute(f"SHOW {name}")).fetchone())[name]
                for name in ("work_mem", "enable_sort", "enable_material")
            ]

        assert first is second
        assert shown == ["6MB", "off", "off"]

    async def test_one_that_nobody_comes_back_to_gives_its_connection_away(self, database: Database):
        async with Reading(database, "acme") as reading:
            connection = await reading.connection()
            reading.close_in(0.01)
            await eventually(lambda: connection.info.transaction_status is TransactionStatus.IDLE)

            assert not reading.is_open
            row = await (await (await reading.connection()).execute("SELECT 1 AS one")).fetchone()

        assert row == {"one": 1}

    async def test_one_that_is_come_back_to_in_time_stays(self, database: Database):
        async with Reading(database, "acme") as reading:
            first = await reading.connection()
            reading.close_in(0.05)
            second = await reading.connection()
            await asyncio.sleep(0.1)

            assert reading.is_open
            assert first is second

    @pytest.mark.parametrize("waiting", [True, False])
    async def test_the_loss_of_a_connection_that_nobody_needs_any_more_is_no_failure(
        self, database: Database, database_urls, waiting
    ):
        async with Reading(database, "acme") as reading:
            connection = await reading.connection()
            with psycopg.connect(database_urls.app, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))
            if waiting:
                reading.close_in(0)
                await eventually(lambda: not reading.is_open)
            await reading.close()
            row = await (await (await reading.connection()).execute("SELECT 1 AS one")).fetchone()

        assert row == {"one": 1}


class TestCourse:
    async def test_the_last_steps_go_on_in_the_first_transaction(self, database: Database):
        async with Course(database, "acme", patience=60) as course:
            first = await course.first.connection()
            course.rest()
            course.hand_over()

            assert await course.last.connection() is first
            assert not course.first.is_open

    async def test_steps_that_have_their_own_keep_it(self, database: Database):
        async with Course(database, "acme", patience=60) as course:
            first, last = await course.first.connection(), await course.last.connection()
            course.hand_over()

            assert await course.last.connection() is last
            assert await course.first.connection() is first

    async def test_one_that_rests_ends_though_the_last_steps_have_their_own(self, database: Database):
        async with Course(database, "acme", patience=60) as course:
            await course.first.connection()
            await course.last.connection()
            course.rest()
            course.hand_over()

            await eventually(lambda: not course.first.is_open, 10)
            assert course.last.is_open

    async def test_the_first_does_not_rest_while_the_last_steps_wait_for_a_connection(self, kernel, monkeypatch):
        """There is one, and the first has it."""
        monkeypatch.setattr("services.search.query.course.PATIENCE_SECONDS", 3600)
        async with Course(kernel.database, "acme", patience=60) as course:
            first = await course.first.connection()
            opening = asyncio.create_task(course.last.connection())
            await asyncio.sleep(0)
            course.rest()

            assert await opening is first

    async def test_steps_that_follow_each_other_have_twice_the_time_of_one(self, database: Database):
        ends: list[float] = []

        async def last_forever(course: Course) -> None:
            async with course.limit() as limit:
                ends.append(limit.when())
                await asyncio.Event().wait()

        async with Course(database, "acme", patience=0.1) as course:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await last_forever(course)

        assert ends[1] == ends[2] <= ends[0] + 0.1

    async def test_afterwards_no_connection_is_left(self, database: Database):
        for _ in range(30):  # more than the pool has
            async with Course(database, "acme", patience=60) as course:
                await course.first.connection()
                course.rest()
