"""Transactions that the steps of a query share."""

import asyncio

import psycopg
import pytest

from mlplatform.database import Database
from services.search.query.reading import Reading
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

        monkeypatch.setattr("services.search.query.repository.search_hnsw", fail)

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
