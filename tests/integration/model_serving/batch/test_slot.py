"""A slot keeps what it holds, and lets go of what it should not hold."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg

from mlplatform.database import Database
from mlplatform.events import running
from mlplatform.objects import ObjectStore
from services.model_serving.batch.scoring.assignment import (
    Assignment,
    ChunkSpec,
    Finished,
    ItemResult,
    Report,
    Scored,
    Split,
    Stopped,
    Unavailable,
)
from services.model_serving.batch.scoring.process import ScorerDiedError
from services.model_serving.batch.scoring.tasks import find_task
from services.model_serving.batch.work.burial import Burial
from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.claims import Claims
from services.model_serving.batch.work.slot import MOST_CLAIMS, Slot
from services.model_serving.batch.work.upkeep import Upkeep
from tests.integration.model_serving.batch.orders import caller, desk, doubled, split_job, stored
from tests.integration.model_serving.running import eventually

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
POLL = 0.05
"""Seconds between two looks of an idle slot."""


class Hands:
    """Scores when the test says so.

    Args:
        obedient: Whether it stops when it is told to, and need not be killed.
    """

    def __init__(self, *, obedient: bool = True) -> None:
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.told: list[str] = []
        self.answer: Callable[[Assignment], Report] = lambda given: Scored(doubled(_chunk(given)))
        self.is_loading = False
        self.slow: Callable[[Assignment], bool] | None = None
        self._obedient = obedient

    async def score(self, assignment: Assignment) -> Report:
        self.begun.set()
        if self.slow is not None:
            self.told.clear()
            (self.go.clear if self.slow(assignment) else self.go.set)()
        await self.go.wait()
        if "kill" in self.told:
            raise ScorerDiedError("signal 9", loading=self.is_loading)
        if "stop" in self.told:
            return Stopped()
        return self.answer(assignment)

    def stop(self) -> None:
        self.told.append("stop")
        if self._obedient:
            self.go.set()

    def kill(self) -> None:
        self.told.append("kill")
        self.go.set()


@asynccontextmanager
async def working(
    database: Database, hands: Hands, *, lease: timedelta = MINUTE, longest: timedelta = MINUTE
) -> AsyncIterator[Slot]:
    claims = Claims(database, "tests", lease)
    slot = Slot(
        claims,
        Burial(database),
        hands,
        lease=lease,
        chunk_timeout=longest,
        poll=timedelta(seconds=POLL),
        ring=lambda: hands.told.append("ring"),
    )
    async with running(slot, "slot"):
        yield slot
        slot.hurry()


class TestSplit:
    async def test_idle_slots_are_told_of_the_chunks_that_an_input_was_split_into(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        job, hands = await split_job(database), Hands()
        result = ItemResult(0, "succeeded", "1", None)
        hands.answer = lambda given: Split([ChunkSpec({}, 1)]) if given.kind == "split" else Scored([result])
        hands.go.set()
        async with working(database, hands):
            await eventually(lambda: _ended(desk(database), job))
        assert hands.told == ["ring"]
        assert stored(owner, job) == {0: ("succeeded", 1)}


class TestLease:
    async def test_a_chunk_that_takes_longer_than_its_lease_is_nobody_elses(
        self, database: Database, owner: psycopg.Connection, objects: ObjectStore
    ) -> None:
        reception, hands = desk(database), Hands()
        job = await reception.submit("a", [1, 2])
        async with working(database, hands, lease=SECOND):
            await hands.begun.wait()
            upkeep = Upkeep(database, objects, Burial(database), interval=SECOND, retention=MINUTE)
            for _ in range(30):  # three leases long
                assert await upkeep.bury_expired() == 0
                assert await Claims(database, "other", SECOND).take() is None
                await asyncio.sleep(0.1)
            hands.go.set()
            await eventually(lambda: _ended(reception, job))
        assert stored(owner, job) == {0: ("succeeded", 2), 1: ("succeeded", 4)}


class TestCancel:
    async def test_the_scorer_is_told_and_the_slot_goes_on(self, database: Database) -> None:
        reception, hands = desk(database), Hands()
        job = await reception.submit("a", [1])
        async with working(database, hands):
            await hands.begun.wait()
            await reception.jobs.cancel(caller("a"), job.id)
            await eventually(lambda: _true(hands.told))
            hands.told.clear()
            following = await reception.submit("a", [1])
            await eventually(lambda: _ended(reception, following))
        assert (await reception.jobs.find("a", job.id)).cancelled == 1

    async def test_a_scorer_that_does_not_listen_is_killed(self, database: Database) -> None:
        reception, hands = desk(database), Hands(obedient=False)
        job = await reception.submit("a", [1])
        async with working(database, hands):
            await hands.begun.wait()
            await reception.jobs.cancel(caller("a"), job.id)
            await eventually(lambda: _true(hands.told == ["stop", "kill"]))


class TestDrain:
    async def test_a_chunk_under_way_is_given_back_unharmed(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, hands = desk(database), Hands()
        job = await reception.submit("a", [1])
        async with working(database, hands):
            await hands.begun.wait()
        row = owner.execute("SELECT state, deaths FROM batch_chunks WHERE job_id = %s", (job.id,)).fetchone()
        assert row == ("queued", 0)
        assert stored(owner, job) == {}


class TestTimeout:
    async def test_a_chunk_that_takes_too_long_is_a_death(self, database: Database, owner: psycopg.Connection) -> None:
        reception, hands = desk(database), Hands(obedient=False)
        job = await reception.submit("a", [1])
        async with working(database, hands, longest=timedelta(milliseconds=100)):
            await eventually(lambda: _ended(reception, job))
        assert stored(owner, job) == {0: ("failed", None)}

    async def test_a_chunk_that_is_too_much_is_halved_at_once(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, hands = desk(database), Hands(obedient=False)
        hands.slow = lambda given: len(given.items) > 1
        job = await reception.submit("a", [1, 2, 3, 4])
        async with working(database, hands, longest=timedelta(milliseconds=100)):
            await eventually(lambda: _ended(reception, job))
        assert stored(owner, job) == {item: ("succeeded", 2 * (item + 1)) for item in range(4)}
        assert owner.execute("SELECT max(deaths), max(claim) FROM batch_chunks").fetchone() == (0, 1)

    async def test_a_model_that_takes_too_long_to_load_is_no_items_fault(self, database: Database) -> None:
        reception, hands = desk(database), Hands(obedient=False)
        hands.is_loading = True
        job = await reception.submit("a", [1, 2, 3, 4])
        async with working(database, hands, longest=timedelta(milliseconds=100)):
            await eventually(lambda: _ended(reception, job))
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.failed) == ("failed", 4)
        assert "Loading the model" in after.error


class TestUnavailable:
    async def test_the_chunk_waits_and_has_not_died(self, database: Database, owner: psycopg.Connection) -> None:
        reception, hands = desk(database), Hands()
        hands.answer = lambda _: Unavailable("MLflow is down.")
        hands.go.set()
        job = await reception.submit("a", [1])

        async def waits() -> bool:
            found = owner.execute("SELECT state, deaths, not_before > now() FROM batch_chunks").fetchone()
            return found == ("queued", 0, True)

        async with working(database, hands):
            await eventually(waits)
            hands.answer = lambda given: Scored(doubled(_chunk(given)))
            owner.execute("UPDATE batch_chunks SET not_before = now()")
            await eventually(lambda: _ended(reception, job))
        assert stored(owner, job) == {0: ("succeeded", 2)}

    async def test_not_for_ever(self, database: Database, owner: psycopg.Connection) -> None:
        reception, hands = desk(database), Hands()
        hands.answer = lambda _: Unavailable("Its artifacts are gone.")
        hands.go.set()
        job = await reception.submit("a", [1])
        owner.execute("UPDATE batch_chunks SET claim = %s", (MOST_CLAIMS,))
        async with working(database, hands):
            await eventually(lambda: _ended(reception, job))
        assert "gone" in (await reception.jobs.find("a", job.id)).error


class TestUnknown:
    async def test_what_follows_an_end_is_left_to_a_worker_that_knows_it(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        hands, claims = Hands(), Claims(database, "tests", MINUTE)
        hands.answer = lambda given: find_task(given)(given, None)
        hands.go.set()
        await split_job(database, finish=[{"type": "of a later release"}])
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [])

        async def stands(*values: object) -> bool:
            statement = "SELECT state, deaths, not_before > now() FROM batch_chunks WHERE kind = 'finish'"
            return values == owner.execute(statement).fetchone()

        async with working(database, hands):
            await eventually(lambda: stands("queued", 0, True))
            hands.answer = lambda _: Finished({})
            owner.execute("UPDATE batch_chunks SET not_before = now()")
            await eventually(lambda: stands("done", 0, False))


class TestStore:
    async def test_what_cannot_be_stored_fails_its_item_only(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, hands = desk(database), Hands()

        def spoiled(given: Assignment) -> Report:
            good = doubled(_chunk(given))
            return Scored(
                [type(one)(one.item, one.state, "no json" if one.item == 1 else one.output, None) for one in good]
            )

        hands.answer = spoiled
        hands.go.set()
        job = await reception.submit("a", [5, 6, 7])
        async with working(database, hands):
            await eventually(lambda: _ended(reception, job))
        assert stored(owner, job) == {0: ("succeeded", 10), 1: ("failed", None), 2: ("succeeded", 14)}


class TestNext:
    async def test_is_scored_while_the_results_of_the_last_are_stored(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, hands = desk(database), Hands()
        first, second = await reception.submit("a", [1]), await reception.submit("a", [2])
        async with working(database, hands):
            await hands.begun.wait()
            owner.execute("BEGIN")
            owner.execute("SELECT FROM batch_jobs WHERE id = %s FOR UPDATE", (first.id,))
            hands.go.set()
            await eventually(lambda: _ended(reception, second))
            assert not await _ended(reception, first)
            owner.execute("COMMIT")
            await eventually(lambda: _ended(reception, first))
        assert stored(owner, first) == {0: ("succeeded", 2)}
        assert stored(owner, second) == {0: ("succeeded", 4)}

    async def test_is_what_the_turn_of_the_last_has_left_and_not_what_was_queued_later(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, hands = desk(database), Hands()
        order: list[str] = []

        def begun(given: Assignment) -> Report:
            order.append(given.job)
            results = doubled(_chunk(given))
            return Scored(results[:1], rest=len(results) - 1)

        hands.answer = begun
        first, second = await reception.submit("a", [1, 2]), await reception.submit("a", [3])
        async with working(database, hands):
            await hands.begun.wait()
            owner.execute("BEGIN")
            owner.execute("SELECT FROM batch_jobs WHERE id = %s FOR UPDATE", (first.id,))
            hands.go.set()
            await eventually(lambda: _keeps_waiting(owner))
            await asyncio.sleep(4 * POLL)  # in which a slot that does not wait takes the other one
            owner.execute("COMMIT")
            await eventually(lambda: _ended(reception, second))
        assert order == [str(first.id), str(first.id), str(second.id)]

    async def test_is_not_harmed_by_a_fault_of_the_last(self, database: Database, owner: psycopg.Connection) -> None:
        reception, hands = desk(database), Hands()
        first, second = await reception.submit("a", [1]), await reception.submit("a", [2])

        def spoiled(given: Assignment) -> Report:
            good = doubled(_chunk(given))
            if given.job == str(second.id):
                return Scored(good)
            return Scored([ItemResult(one.item, one.state, 5, None) for one in good])  # no JSON, but a number

        async def is_noted() -> bool:
            deaths = owner.execute("SELECT sum(deaths) FROM batch_chunks WHERE job_id = %s", (first.id,)).fetchone()
            return deaths == (1,)

        hands.answer, hands.slow = spoiled, lambda _: True
        async with working(database, hands):
            await hands.begun.wait()
            owner.execute("BEGIN")
            owner.execute("SELECT FROM batch_jobs WHERE id = %s FOR UPDATE", (first.id,))
            hands.begun.clear()
            hands.go.set()
            await hands.begun.wait()  # the second, while the first cannot be stored
            owner.execute("COMMIT")
            await eventually(is_noted)  # at once, however long the second takes
            assert hands.told == []
            hands.slow = None
            hands.go.set()
            await eventually(lambda: _ended(reception, first))
            await eventually(lambda: _ended(reception, second))
        assert stored(owner, first) == {0: ("failed", None)}
        assert stored(owner, second) == {0: ("succeeded", 4)}


def _chunk(given: Assignment) -> Chunk:
    return Chunk(Claim("a", None, 0, 0), given.items, given.payload, 0, None)


async def _ended(reception, job) -> bool:
    return (await reception.jobs.find("a", job.id)).has_ended


async def _keeps_waiting(owner: psycopg.Connection) -> bool:
    """Whether somebody waits for a lock that this connection has."""
    waiting = owner.execute("SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    return waiting.fetchone() is not None


async def _true(value: object) -> bool:
    return bool(value)
