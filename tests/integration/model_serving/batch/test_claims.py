"""Chunks are taken, kept, stored and lost."""

import asyncio
from datetime import timedelta

import psycopg
import pytest

from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable, NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.errors import JobEnded, NothingToRetry
from services.model_serving.batch.jobs.places import results_folder
from services.model_serving.batch.scoring.assignment import ItemResult
from services.model_serving.batch.work.burial import MOST_DEATHS, Burial
from services.model_serving.batch.work.claims import Claims, TwiceError
from services.model_serving.batch.work.slot import UNSTORABLE
from services.model_serving.batch.work.upkeep import Upkeep
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import caller, desk, doubled, stored

HOUR = timedelta(hours=1)


def claims_of(database: Database, *, lease: timedelta = HOUR) -> Claims:
    return Claims(database, "tests", lease)


def upkeep_of(database: Database, objects: ObjectStore) -> Upkeep:
    return Upkeep(database, objects, Burial(database), interval=HOUR, retention=timedelta(days=7))


def end_leases(owner: psycopg.Connection) -> None:
    owner.execute("UPDATE batch_chunks SET lease_until = now() - interval '1 s' WHERE state = 'running'")


async def finish(database: Database, claims: Claims) -> None:
    """Score everything that is queued."""
    while (taken := await claims.take()) is not None:
        chunk, job = taken
        assert await claims.commit(chunk, job, doubled(chunk)) is not None


class TestAnswers:
    async def test_they_are_stored_as_they_were_given(self, database: Database, owner: psycopg.Connection) -> None:
        answers = [
            "null",
            "7",
            '"a\\"b, {c}"',
            '{"b": [1, {"a": null}],  "a": "]"}',
            '"\\u0000 \\ud83d\\ude00 zwölf"',
            "[]",
        ]
        job, claims = await desk(database, chunk_items=8).submit("a", list(range(8))), claims_of(database)
        chunk, seen = await claims.take()
        results = [ItemResult(item, "succeeded", answer, None) for item, answer in enumerate(answers)]
        results += [ItemResult(item, "failed", None, '{"detail": "it\'s wrong"}') for item in (6, 7)]
        assert await claims.commit(chunk, seen, results) is not None
        found = owner.execute(
            "SELECT state, output::text, error::text FROM batch_results WHERE job_id = %s ORDER BY item", (job.id,)
        ).fetchall()
        assert found == [(one.state, one.output, one.error) for one in results]

    @pytest.mark.parametrize(
        "wrong",
        [
            ItemResult(1, "succeeded", None, "{}"),
            ItemResult(1, "failed", "{}", None),
            ItemResult(1, "succeeded", "1, 2", None),
            ItemResult(1, "succeeded", "NaN", None),
            ItemResult(1, "succeeded", "]", None),
        ],
    )
    async def test_none_is_stored_where_one_is_wrong(
        self, database: Database, owner: psycopg.Connection, wrong: ItemResult
    ) -> None:
        job, claims = await desk(database).submit("a", [0, 1, 2]), claims_of(database)
        chunk, seen = await claims.take()
        results = [ItemResult(0, "succeeded", "0", None), wrong, ItemResult(2, "succeeded", "2", None)]
        with pytest.raises(UNSTORABLE):
            await claims.commit(chunk, seen, results)
        assert stored(owner, job) == {}
        assert await claims.commit(chunk, seen, doubled(chunk)) is not None


class TestTake:
    async def test_each_chunk_goes_to_one_of_many_who_ask(self, database: Database) -> None:
        await desk(database).submit("a", list(range(20)))
        claims = claims_of(database)
        taken = await asyncio.gather(*(claims.take() for _ in range(8)))
        found = [one[0] for one in taken if one is not None]
        assert sorted(number for chunk in found for number in chunk.items) == list(range(20))
        assert len(found) == 5

    async def test_tenants_take_turns_where_one_chunk_runs_at_a_time(self, database: Database) -> None:
        reception, claims = desk(database, chunk_items=1), claims_of(database)
        await reception.submit("big", list(range(20)))
        await claims.commit(*_with_results(await claims.take()))
        for tenant in ("b", "c"):
            await reception.submit(tenant, [1])
        order = []
        for _ in range(4):
            taken = await claims.take()
            await claims.commit(*_with_results(taken))
            order.append(taken[0].claim.tenant_id)
        assert sorted(order[:2]) == ["b", "c"]
        assert order[2:] == ["big", "big"]

    async def test_the_tenant_with_the_fewest_under_way_comes_first(self, database: Database) -> None:
        reception, claims = desk(database, chunk_items=1), claims_of(database)
        await reception.submit("a", [1, 2, 3, 4])
        await reception.submit("b", [1, 2, 3])
        order = [(await claims.take())[0].claim.tenant_id for _ in range(7)]
        assert [order[:6].count(tenant) for tenant in ("a", "b")] == [3, 3]

    async def test_a_job_says_when_it_began(self, database: Database) -> None:
        reception = desk(database)
        job = await reception.submit("a", [1])
        assert (job.state, job.started_at) == ("queued", None)
        _, taken = await claims_of(database).take()
        assert taken.state == "running"
        assert taken.started_at is not None

    async def test_a_chunk_that_was_taken_and_could_not_be_read_is_not_left_to_its_lease(
        self, database: Database, owner: psycopg.Connection, settings: ServingSettings
    ) -> None:
        job = await desk(database).submit("a", [1])
        hasty = Database(settings.database_url.get_secret_value(), statement_timeout=timedelta(milliseconds=300))
        await hasty.open()
        try:
            claims = claims_of(hasty)
            with owner.transaction():
                owner.execute("SELECT 1 FROM batch_jobs WHERE id = %s FOR UPDATE", (job.id,))
                with pytest.raises(psycopg.errors.QueryCanceled):
                    await claims.take()
            chunk, _ = await claims.take()
        finally:
            await hasty.close()
        assert (chunk.claim.claim, chunk.deaths) == (1, 0)


class TestCommit:
    async def test_the_last_results_end_the_job(self, database: Database, owner: psycopg.Connection) -> None:
        reception = desk(database)
        job = await reception.submit("a", [0, 1, "x", 3, 4, 5])
        await finish(database, claims_of(database))
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.succeeded, after.failed, after.cancelled) == ("completed", 5, 1, 0)
        assert stored(owner, job)[2] == ("failed", None)
        assert [stored(owner, job)[item][1] for item in (0, 1, 3, 4, 5)] == [0, 2, 6, 8, 10]

    async def test_who_lost_the_claim_stores_nothing(
        self, database: Database, owner: psycopg.Connection, objects: ObjectStore
    ) -> None:
        job = await desk(database).submit("a", [1, 2])
        claims = claims_of(database)
        slow, seen = await claims.take()
        end_leases(owner)
        assert await upkeep_of(database, objects).bury_expired() == 1
        quick, _ = await claims.take()
        assert await claims.commit(slow, seen, doubled(slow)) is None
        assert stored(owner, job) == {}
        assert not await claims.renew(slow.claim)
        assert not await claims.release(slow.claim)
        assert await claims.commit(quick, seen, doubled(quick)) is not None
        assert await claims.commit(quick, seen, doubled(quick)) is None
        assert stored(owner, job) == {0: ("succeeded", 2), 1: ("succeeded", 4)}

    async def test_an_item_never_gets_a_second_result(self, database: Database, owner: psycopg.Connection) -> None:
        job = await desk(database).submit("a", [1, 2])
        claims = claims_of(database)
        chunk, seen = await claims.take()
        with pytest.raises(TwiceError):
            await claims.commit(chunk, seen, [*doubled(chunk), doubled(chunk)[0]])
        assert stored(owner, job) == {}

    async def test_any_text_comes_back_as_it_was(self, database: Database) -> None:
        reception, claims = desk(database), claims_of(database)
        job = await reception.submit("a", [1])
        chunk, seen = await claims.take()
        (result,) = doubled(chunk)
        odd = '{"label":"a\\u0000b","\\ud83d\\ude00":1e400}'.replace("1e400", "1.5")
        assert await claims.commit(chunk, seen, [type(result)(0, "succeeded", odd, None)]) is not None
        _, rows, _ = await reception.jobs.results("a", job.id, limit=10, cursor=None, state=None)
        assert rows[0]["output"] == odd


class TestFail:
    async def test_a_job_may_have_so_many_items_that_it_takes_longer_than_other_statements(
        self, database: Database, owner: psycopg.Connection, settings: ServingSettings
    ) -> None:
        job = await desk(database).submit("a", [1, 2])
        hasty = Database(settings.database_url.get_secret_value(), statement_timeout=timedelta(milliseconds=200))
        await hasty.open()
        try:
            claims = claims_of(hasty)
            chunk, seen = await claims.take()
            with owner.transaction():
                owner.execute("SELECT 1 FROM batch_jobs WHERE id = %s FOR UPDATE", (job.id,))
                failing = asyncio.create_task(claims.fail(chunk.claim, seen, "It is gone.", "{}"))
                await asyncio.sleep(0.5)
            after = await failing
        finally:
            await hasty.close()
        assert (after.state, after.failed) == ("failed", 2)


class TestDeath:
    async def test_an_item_that_kills_is_found_and_the_others_are_scored(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims, burial = desk(database, chunk_items=16), claims_of(database), Burial(database)
        job = await reception.submit("a", list(range(16)))
        deaths = 0
        while (taken := await claims.take()) is not None:
            chunk, seen = taken
            if 11 in chunk.items:
                assert await burial.bury(chunk.claim, "signal 9", noticed="scorer")
                deaths += 1
            else:
                await claims.commit(chunk, seen, doubled(chunk))
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.succeeded, after.failed) == ("completed", 15, 1)
        found = stored(owner, job)
        assert found.pop(11) == ("failed", None)
        assert found == {item: ("succeeded", 2 * item) for item in range(16) if item != 11}
        assert deaths == MOST_DEATHS + 4  # once more for each time that 16 items are halved
        _, rows, _ = await reception.jobs.results("a", job.id, limit=10, cursor=None, state="failed")
        assert '"poison"' in rows[0]["error"]

    async def test_a_chunk_survives_two_deaths(self, database: Database) -> None:
        reception, claims, burial = desk(database), claims_of(database), Burial(database)
        job = await reception.submit("a", [1])
        for _ in range(MOST_DEATHS - 1):
            chunk, _ = await claims.take()
            await burial.bury(chunk.claim, "signal 9", noticed="scorer")
        await finish(database, claims)
        assert (await reception.jobs.find("a", job.id)).succeeded == 1

    async def test_a_model_that_dies_while_it_is_loaded_fails_the_job(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims, burial = desk(database), claims_of(database), Burial(database)
        job = await reception.submit("a", list(range(6)))
        while (taken := await claims.take()) is not None:
            await burial.bury(taken[0].claim, "signal 11", noticed="scorer", loading=True)
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.failed) == ("failed", 6)
        assert "signal 11" in after.error
        assert set(stored(owner, job)) == set(range(6))

    async def test_a_death_while_the_model_is_loaded_is_not_held_against_the_items(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims, burial = desk(database, chunk_items=4), claims_of(database), Burial(database)
        job = await reception.submit("a", list(range(4)))
        loads: set[int] = set()
        while (taken := await claims.take()) is not None:
            chunk, seen = taken
            if chunk.claim.number not in loads:  # whoever takes it first is killed before it has the model
                loads.add(chunk.claim.number)
                assert await burial.bury(chunk.claim, "signal 9", noticed="scorer", loading=True)
            elif 2 in chunk.items:
                assert await burial.bury(chunk.claim, "signal 9", noticed="scorer")
            else:
                await claims.commit(chunk, seen, doubled(chunk))
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.succeeded, after.failed) == ("completed", 3, 1)
        assert stored(owner, job) == {
            0: ("succeeded", 0),
            1: ("succeeded", 2),
            2: ("failed", None),
            3: ("succeeded", 6),
        }
        assert len(loads) == 5

    async def test_nor_are_deaths_over_items_held_against_the_model(self, database: Database) -> None:
        reception, claims, burial = desk(database), claims_of(database), Burial(database)
        job = await reception.submit("a", [1])
        for loading in (False, True, True, False):
            chunk, _ = await claims.take()
            assert await burial.bury(chunk.claim, "signal 9", noticed="scorer", loading=loading)
        await finish(database, claims)
        assert (await reception.jobs.find("a", job.id)).succeeded == 1

    async def test_only_an_ended_lease_is_buried_by_the_sweep(self, database: Database, objects: ObjectStore) -> None:
        await desk(database).submit("a", [1])
        chunk, _ = await claims_of(database).take()
        assert await upkeep_of(database, objects).bury_expired() == 0
        assert not await Burial(database).bury(chunk.claim, "away", noticed="lease", ended=True)
        assert await claims_of(database).holds(chunk.claim)


class TestCancel:
    async def test_what_has_no_result_is_cancelled_at_once(self, database: Database, owner: psycopg.Connection) -> None:
        reception, claims = desk(database), claims_of(database)
        job = await reception.submit("a", list(range(12)))
        await claims.commit(*_with_results(await claims.take()))
        chunk, seen = await claims.take()
        after = await reception.jobs.cancel(caller("a"), job.id)
        assert (after.state, after.succeeded, after.failed, after.cancelled) == ("cancelled", 4, 0, 8)
        assert not await claims.holds(chunk.claim)
        assert await claims.commit(chunk, seen, doubled(chunk)) is None
        assert await claims.take() is None
        assert len(stored(owner, job)) == 4
        assert await reception.jobs.cancel(caller("a"), job.id) == after

    async def test_not_after_the_end(self, database: Database) -> None:
        reception = desk(database)
        job = await reception.submit("a", [1])
        await finish(database, claims_of(database))
        with pytest.raises(JobEnded):
            await reception.jobs.cancel(caller("a"), job.id)


class TestRetry:
    async def test_failed_items_alone_are_scored_again(
        self, database: Database, owner: psycopg.Connection, objects: ObjectStore
    ) -> None:
        reception, claims = desk(database), claims_of(database)
        job = await reception.submit("a", [0, "x", 2, 3, 4, "y", 6])
        await finish(database, claims)
        again = await reception.jobs.retry(caller("a"), job.id)
        assert (again.state, again.succeeded, again.failed, again.retries) == ("queued", 5, 0, 1)
        chunk, _ = await claims.take()
        assert list(chunk.items) == [1, 5]
        assert chunk.input == b'["x","y"]'
        end_leases(owner)
        await upkeep_of(database, objects).bury_expired()
        await finish(database, claims)
        assert (await reception.jobs.find("a", job.id)).failed == 2
        assert (await reception.jobs.retry(caller("a"), job.id)).retries == 2
        await finish(database, claims)
        assert len(stored(owner, job)) == 7

    async def test_not_while_it_runs_nor_without_failures(self, database: Database) -> None:
        reception = desk(database)
        job = await reception.submit("a", [1])
        with pytest.raises(NothingToRetry):
            await reception.jobs.retry(caller("a"), job.id)
        await finish(database, claims_of(database))
        with pytest.raises(NothingToRetry):
            await reception.jobs.retry(caller("a"), job.id)


class TestTenants:
    async def test_nobody_reaches_the_job_of_another(self, database: Database) -> None:
        reception = desk(database)
        job = await reception.submit("a", ["x"])
        await finish(database, claims_of(database))
        jobs, stranger = reception.jobs, caller("b")
        for attempt in (
            jobs.find("b", job.id),
            jobs.results("b", job.id, limit=1, cursor=None, state=None),
            jobs.cancel(stranger, job.id),
            jobs.retry(stranger, job.id),
        ):
            with pytest.raises(NotFound):
                await attempt
        assert await jobs.page("b", limit=10, cursor=None, state=None, model=None) == ([], None)


class TestRetention:
    async def test_a_job_is_there_as_long_as_its_objects_may_be(
        self, database: Database, owner: psycopg.Connection, settings: ServingSettings
    ) -> None:
        job = await desk(database).submit("a", [1])
        await finish(database, claims_of(database))
        owner.execute("UPDATE batch_jobs SET finished_at = now() - interval '8 days'")
        away = ObjectStore(settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"}))
        with pytest.raises(DependencyUnavailable):
            await upkeep_of(database, away).delete_old()
        assert set(stored(owner, job)) == {0}

    async def test_jobs_that_ended_long_ago_are_deleted_with_all_of_theirs(
        self, database: Database, owner: psycopg.Connection, objects: ObjectStore
    ) -> None:
        reception = desk(database)
        old, fresh = [await reception.submit("a", [1]) for _ in range(2)]
        await finish(database, claims_of(database))
        waiting = await reception.submit("b", [1])
        owner.execute("UPDATE batch_jobs SET finished_at = now() - interval '8 days' WHERE id = %s", (old.id,))
        owner.execute("UPDATE batch_jobs SET created_at = now() - interval '9 days'")
        kept, gone = (f"{results_folder('a', job.id)}/parts/1" for job in (fresh, old))
        for key in (kept, gone):
            await objects.put(key, b"x")
        assert await upkeep_of(database, objects).delete_old() == 1
        assert await objects.exists(kept)
        assert not await objects.exists(gone)
        for statement in ("SELECT id FROM batch_jobs", "SELECT job_id FROM batch_chunks"):
            assert {row[0] for row in owner.execute(statement)} == {fresh.id, waiting.id}
        assert stored(owner, old) == {}


def _with_results(taken):
    chunk, job = taken
    return chunk, job, doubled(chunk)
