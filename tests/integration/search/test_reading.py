"""Transactions that the steps of a query share."""

import asyncio

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from mlplatform.database import Database
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


class TestCourse:
    async def test_the_last_steps_go_on_in_the_first_transaction(self, database: Database):
        async with Course(database, "acme") as course:
            first = await course.first.connection()
            course.rest()
            course.hand_over()

            assert await course.last.connection() is first
            assert not course.first.is_open

    async def test_steps_that_have_their_own_keep_it(self, database: Database):
        async with Course(database, "acme") as course:
            first, last = await course.first.connection(), await course.last.connection()
            course.hand_over()

            assert await course.last.connection() is last
            assert await course.first.connection() is first

    async def test_afterwards_no_connection_is_left(self, database: Database):
        for _ in range(30):  # more than the pool has
            async with Course(database, "acme") as course:
                await course.first.connection()
                course.rest()
