"""What is read of a log and of windows that have grown large, on a real Postgres without a service."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from mlplatform.database import Database
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.labels import repository as labels
from services.model_serving.monitoring.labels.feedback import Feedback
from services.model_serving.monitoring.labels.outcomes import NoOutcomes
from services.model_serving.monitoring.labels.schemas import FeedbackItem
from services.model_serving.monitoring.policy import LogPolicies, LogPolicy
from tests.fixtures.database import DatabaseUrls
from tests.integration.model_serving.running import eventually

FILL = """
INSERT INTO prediction_log (tenant_id, request_id, at, model, version, route, rows, whole, latency_ms, queue_ms)
SELECT 'acme', {request_id}, now() - n * interval '1 ms', 'm' || mod(n, 3), '1', 'primary', 1, false, 1, 0
FROM generate_series(0, %s) AS n
"""
ANSWERS_SCAN = f"Index Scan Backward using prediction_log_{datetime.now(UTC):%Y%m%d}_tenant_id_request_id_at_idx"
WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks
WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
"""


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """Yield the database as a service has it."""
    database = Database(database_urls.app)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def owner(database_urls: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """Yield the owner's connection, with partitions for today."""
    with psycopg.connect(database_urls.owner, autocommit=True) as connection:
        connection.execute("SELECT create_prediction_partitions(3)")
        yield connection


def feedback_of(database: Database, policies: LogPolicies | None = None, days: int = 30) -> Feedback:
    policies = policies or LogPolicies(lambda _: None, 1.0)
    return Feedback(database, policies, NoOutcomes(), horizon=timedelta(days=days))


def log_answer(owner: psycopg.Connection, request_id: str, at: datetime, *, rows: int = 1, model: str = "m") -> None:
    owner.execute(
        "INSERT INTO prediction_log (tenant_id, request_id, at, model, version, route, rows, whole, latency_ms,"
        " queue_ms) VALUES ('acme', %s, %s, %s, '1', 'primary', %s, false, 1, 0)",
        (request_id, at, model, rows),
    )


async def plan_of(connection: labels.Connection, statement: str, values: object) -> str:
    cursor = await connection.execute(f"EXPLAIN (ANALYZE, COSTS off, TIMING off) {statement}", values)
    return "\n".join(row["QUERY PLAN"] for row in await cursor.fetchall())


class Explaining:
    """A connection that also keeps the plan of each statement."""

    def __init__(self, connection: labels.Connection) -> None:
        self.connection = connection
        self.plan = ""

    async def execute(self, statement: str, values: object = None) -> object:
        if not statement.startswith("SET"):
            self.plan = await plan_of(self.connection, statement, values)
        return await self.connection.execute(statement, values)


class TestFindLogged:
    async def test_reads_few_rows_however_often_an_id_was_used(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        owner.execute(FILL.format(request_id="'constant'"), (20_000,))
        owner.execute(FILL.format(request_id="'other-' || n"), (20_000,))
        owner.execute("ANALYZE prediction_log")
        async with database.transaction("acme") as connection:
            explaining = Explaining(connection)
            ids = ["constant", *(f"other-{n}" for n in range(50)), "nobody"]
            found = await labels.find_logged(explaining, ids, datetime.now(UTC) - timedelta(days=30))
        assert len([row for row in found if row["request_id"] == "constant"]) == 3
        assert len(found) == 53
        read = [line for line in explaining.plan.splitlines() if f"prediction_log_{datetime.now(UTC):%Y%m%d}" in line]
        assert [line.split("(")[0].split(" on ")[0].strip(" ->") for line in read] == [ANSWERS_SCAN]
        assert "Rows Removed" not in explaining.plan
        assert max(float(rows) for rows in re.findall(r"actual rows=([\d.]+)", "".join(read))) <= labels.MOST_ANSWERS

    async def test_the_newest_answer_of_each_model_is_found(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        now = datetime.now(UTC)
        for age, model in enumerate(("a", "b", "a", "b", "b")):
            log_answer(owner, "again", now - timedelta(seconds=age), model=model)
        async with database.transaction("acme") as connection:
            found = await labels.find_logged(connection, ["again"], now - timedelta(days=1))
        assert {row["model"]: row["at"] for row in found} == {"a": now, "b": now - timedelta(seconds=1)}

    async def test_an_answer_beyond_the_horizon_is_unknown(self, database: Database, owner: psycopg.Connection) -> None:
        log_answer(owner, "old", datetime.now(UTC) - timedelta(hours=20))
        item = FeedbackItem(request_id="old", label=1)
        assert [found.status for found in await feedback_of(database, days=0).take("acme", [item])] == ["unknown"]
        assert [found.status for found in await feedback_of(database).take("acme", [item])] == ["stored"]

    async def test_nobody_sees_the_answers_of_another(self, database: Database, owner: psycopg.Connection) -> None:
        log_answer(owner, "theirs", datetime.now(UTC))
        [found] = await feedback_of(database).take("other", [FeedbackItem(request_id="theirs", label=1)])
        assert found.status == "unknown"


class Noticing(LogPolicies):
    """Notes which thread asks."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, 1.0)
        self.threads: set[int] = set()

    def of(self, name: str) -> LogPolicy:
        self.threads.add(threading.get_ident())
        return super().of(name)


class TestTake:
    async def test_labels_are_resolved_beside_the_event_loop(self, database: Database) -> None:
        policies = Noticing()
        await feedback_of(database, policies).take("acme", [FeedbackItem(request_id="none", model="m", label=1)])
        assert policies.threads
        assert threading.get_ident() not in policies.threads

    async def test_calls_with_the_same_labels_in_another_order_do_not_block_each_other(
        self, database: Database, database_urls: DatabaseUrls, owner: psycopg.Connection
    ) -> None:
        for name in "abcd":
            log_answer(owner, name, datetime.now(UTC))
        taken = (
            "INSERT INTO prediction_feedback (tenant_id, request_id, model, position, value, predicted_at)"
            " VALUES ('acme', %s, 'm', 0, 1, now())"
        )

        async def waiting(number: int) -> None:
            async def is_so() -> bool:
                return owner.execute(WAITING).fetchone() == (number,)

            await eventually(is_so)

        with psycopg.connect(database_urls.owner) as one, psycopg.connect(database_urls.owner) as two:
            one.execute(taken, ("b",))
            two.execute(taken, ("c",))
            feedback = feedback_of(database)
            first = asyncio.create_task(
                feedback.take("acme", [FeedbackItem(request_id=name, value=2) for name in "abd"])
            )
            await waiting(1)
            second = asyncio.create_task(
                feedback.take("acme", [FeedbackItem(request_id=name, value=2) for name in "dca"])
            )
            await waiting(2)
            one.rollback()
            two.rollback()
            results = [*(await first), *(await second)]
        assert all(found.code == 200 for found in results)


class TestLoggedVersions:
    async def test_reads_no_more_than_a_few_rows_of_each(self, database: Database, owner: psycopg.Connection) -> None:
        owner.execute(FILL.format(request_id="n"), (20_000,))
        log_answer(owner, "old", datetime.now(UTC) - timedelta(hours=23), model="old")
        owner.execute("ANALYZE prediction_log")
        async with database.transaction() as connection:
            await repository.act_as_monitor(connection)
            explaining = Explaining(connection)
            found = await repository.logged_versions(explaining, datetime.now(UTC) - timedelta(hours=22))
        assert found == [("m0", "1"), ("m1", "1"), ("m2", "1")]
        assert max(float(rows) for rows in re.findall(r"actual rows=([\d.]+)", explaining.plan)) <= 5


async def labelled(database: Database, version: str, *, limit: int, size: int) -> list[dict[str, Any]]:
    async with database.transaction() as connection:
        await repository.act_as_monitor(connection)
        since = datetime.now(UTC) - timedelta(days=1)
        return await repository.labelled(connection, "m", version, since=since, limit=limit, size=size)


class TestLabelled:
    async def test_no_more_than_so_many_bytes_are_read(self, database: Database, owner: psycopg.Connection) -> None:
        answers = [f"answer-{number}" for number in range(20)]
        for name in answers:
            log_answer(owner, name, datetime.now(UTC))
        await feedback_of(database).take("acme", [FeedbackItem(request_id=name, label="x" * 1000) for name in answers])
        assert len(await labelled(database, "1", limit=100, size=10**6)) == 20
        assert await labelled(database, "2", limit=100, size=10**6) == []
        assert len(await labelled(database, "1", limit=5, size=10**6)) == 5
        assert 0 < len(await labelled(database, "1", limit=100, size=5000)) <= 5

    async def test_a_label_is_of_the_answer_that_it_came_for(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        now = datetime.now(UTC)
        for age in (1, 2):
            log_answer(owner, "again", now - timedelta(minutes=age))
        await feedback_of(database).take("acme", [FeedbackItem(request_id="again", label=1)])
        assert len(await labelled(database, "1", limit=100, size=10**6)) == 1
