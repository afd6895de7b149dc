import psycopg
import pytest
from opentelemetry import trace

from mlplatform.database import Database
from mlplatform.events import enqueue
from tests.integration.events.conftest import make_event

CONTEXT = trace.SpanContext(int("1" * 32, 16), int("2" * 16, 16), is_remote=False, trace_flags=trace.TraceFlags(1))


class TestEnqueue:
    async def test_the_event_commits_with_the_transaction(self, database: Database, owner: psycopg.Connection) -> None:
        event = make_event()
        async with database.transaction("acme") as connection:
            await enqueue(connection, event)
        rows = owner.execute("SELECT event_id, type, tenant_id, event FROM outbox").fetchall()
        assert rows == [(event.id, event.type, "acme", event.document())]

    async def test_the_event_is_absent_after_a_rollback(self, database: Database, owner: psycopg.Connection) -> None:
        async def write_and_fail() -> None:
            async with database.transaction("acme") as connection:
                await enqueue(connection, make_event())
                raise LookupError

        with pytest.raises(LookupError):
            await write_and_fail()
        assert owner.execute("SELECT count(*) FROM outbox").fetchone() == (0,)

    async def test_the_event_carries_the_trace_of_its_publisher(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        with trace.use_span(trace.NonRecordingSpan(CONTEXT)):
            async with database.transaction() as connection:
                await enqueue(connection, make_event())
        (row,) = owner.execute("SELECT event ->> 'traceparent', tenant_id FROM outbox").fetchall()
        assert row == (f"00-{'1' * 32}-{'2' * 16}-01", None)

    async def test_a_request_does_not_see_the_outbox(self, database: Database) -> None:
        async with database.transaction("acme") as connection:
            await enqueue(connection, make_event())
        async with database.transaction("acme") as connection:
            cursor = await connection.execute("SELECT id FROM outbox")
            assert await cursor.fetchall() == []
            cursor = await connection.execute("DELETE FROM outbox")
            assert cursor.rowcount == 0

    async def test_a_tenant_cannot_publish_for_another(self, database: Database) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction("acme") as connection:
                await connection.execute(
                    "INSERT INTO outbox (event_id, type, tenant_id, event) VALUES ('1', 'type', 'other', '{}')"
                )
