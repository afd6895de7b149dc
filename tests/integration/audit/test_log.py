"""The audit chain on Postgres: appended by services, changed by nobody, verified by the owner."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from mlplatform.audit.chain import Head
from mlplatform.audit.log import UNWRITTEN, AuditLog, AuditReadError
from mlplatform.database import Database

CHANGES = ("UPDATE audit_events SET actor = 'eve'", "DELETE FROM audit_events", "TRUNCATE audit_events")
UNLOCK = "ALTER TABLE audit_events DISABLE TRIGGER ALL"


@pytest.fixture
def log(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def auditor(owner_database: Database) -> AuditLog:
    return AuditLog(owner_database)


async def fill(log: AuditLog, count: int = 4) -> None:
    for number in range(count):
        await log.record(action="model.promoted", resource=f"model/{number}", actor="ada", tenant="acme")


async def execute(database: Database, *statements: str, tenant: str | None = None) -> None:
    async with database.transaction(tenant) as connection:
        for statement in statements:
            await connection.execute(statement)


class TestRecord:
    async def test_chain_holds(self, log: AuditLog, auditor: AuditLog) -> None:
        await fill(log)
        await log.record(
            action="key.created", resource="a\0ü\ud800 \U0001f511", actor="x" * 2000, detail={"n": [1e300]}
        )

        head, broken = await auditor.verify()

        assert (head.id, broken) == (5, None)

    async def test_appends_at_once(self, log: AuditLog, auditor: AuditLog) -> None:
        await asyncio.gather(*(fill(log, 3) for _ in range(5)))

        head, broken = await auditor.verify()

        assert (head.id, broken) == (15, None)

    async def test_event_shares_the_fate_of_its_transaction(
        self, log: AuditLog, database: Database, auditor: AuditLog
    ) -> None:
        async with database.transaction() as connection:
            await log.record(action="model.promoted", resource="m", actor="ada", connection=connection)
            raise psycopg.Rollback

        assert await auditor.newest(limit=5) == []

    async def test_nobody_did_it(self, log: AuditLog) -> None:
        with pytest.raises(ValueError, match="principal or an actor"):
            await log.record(action="model.promoted", resource="m")

    async def test_caller_chooses_neither_id_nor_time_nor_hash(self, database: Database, auditor: AuditLog) -> None:
        await execute(
            database,
            "INSERT INTO audit_events (id, ts, actor, action, resource, outcome, prev_hash, hash)"
            " VALUES (77, '1999-01-01', 'eve', 'x', 'y', 'done', '', '')",
        )

        head, broken = await auditor.verify()
        [event] = await auditor.newest(limit=5)

        assert (head.id, broken, event["id"]) == (1, None, 1)
        assert event["ts"].year > 1999


class TestRights:
    async def test_service_changes_nothing(self, log: AuditLog, database: Database, auditor: AuditLog) -> None:
        await fill(log, 1)

        for statement in (*CHANGES, "UPDATE audit_head SET id = 0", UNLOCK):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await execute(database, statement, tenant="acme")
        assert (await auditor.verify())[1] is None

    async def test_owner_is_refused_too(self, log: AuditLog, owner_database: Database) -> None:
        await fill(log, 1)

        for statement in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                await execute(owner_database, statement)

    async def test_service_reads_the_rows_of_its_tenant(self, log: AuditLog, database: Database) -> None:
        await fill(log, 2)
        await log.record(action="model.promoted", resource="m", actor="eve", tenant="other")

        async with database.transaction("other") as connection:
            cursor = await connection.execute("SELECT actor FROM audit_events")
            assert await cursor.fetchall() == [{"actor": "eve"}]

    async def test_service_cannot_verify(self, log: AuditLog) -> None:
        with pytest.raises(AuditReadError, match="ML_DATABASE_OWNER_URL"):
            await log.verify()


class TestTampering:
    @pytest.mark.parametrize(
        ("statement", "found"),
        [
            ("UPDATE audit_events SET actor = 'eve' WHERE id = 2", "event 2 was changed"),
            ("UPDATE audit_events SET detail = '{\"a\": 1}' WHERE id = 3", "event 3 was changed"),
            ("UPDATE audit_events SET ts = ts - interval '1 us' WHERE id = 1", "event 1 was changed"),
            ("DELETE FROM audit_events WHERE id = 2", "event 2 is missing"),
            ("DELETE FROM audit_events WHERE id > 2", "events 3 to 4 were cut off"),
            ("TRUNCATE audit_events", "events 1 to 4 were cut off"),
            ("DELETE FROM audit_head", "the recorded head"),
            ("UPDATE audit_events SET id = 5 - id", "event 1 does not follow"),
        ],
    )
    async def test_found_by_verify(
        self, log: AuditLog, owner_database: Database, auditor: AuditLog, statement: str, found: str
    ) -> None:
        await fill(log)
        # Ids move in one statement only when the key is checked at its end.
        movable = "ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey"
        await execute(owner_database, UNLOCK, movable, statement)

        _, broken = await auditor.verify()

        assert broken is not None
        assert broken.reason.startswith(found)

    async def test_cut_together_with_its_head_is_found_by_a_witness(
        self, log: AuditLog, owner_database: Database, auditor: AuditLog
    ) -> None:
        await fill(log)
        witness, _ = await auditor.verify()
        await execute(
            owner_database,
            UNLOCK,
            "DELETE FROM audit_events WHERE id > 2",
            "UPDATE audit_head SET (id, hash) = (SELECT id, hash FROM audit_events WHERE id = 2)",
        )

        assert (await auditor.verify())[1] is None
        _, broken = await auditor.verify(Head.parse(str(witness)))
        assert broken is not None
        assert broken.reason == "events 3 to 4 were cut off"


class TestDenied:
    async def test_first_is_written_and_the_rest_counted(self, log: AuditLog, auditor: AuditLog) -> None:
        for _ in range(5):
            await log.denied(reason="expired", resource="GET /x", client="192.0.2.7", status=401)
        written = await auditor.newest(limit=10)
        await log.close()

        assert [event["detail"]["reason"] for event in written] == ["expired"]
        assert (await auditor.newest(limit=1))[0]["detail"] == {
            "reason": "expired",
            "client": "192.0.2.7",
            "suppressed": 4,
        }

    async def test_postgres_is_down(self) -> None:
        database = Database("postgresql://nobody@127.0.0.1:1/none", acquire_timeout=timedelta(milliseconds=100))
        await database.open()
        log, before = AuditLog(database), UNWRITTEN._value.get()

        await log.denied(reason="missing", resource="GET /x", client="192.0.2.7", status=401)
        await log.close()
        await database.close()

        assert UNWRITTEN._value.get() == before + 1
