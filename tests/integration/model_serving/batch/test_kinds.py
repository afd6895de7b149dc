"""Chunks that are split into others, whose items are elsewhere, and that follow the end of a job."""

import asyncio
from collections import Counter
from datetime import timedelta

import psycopg

from mlplatform.database import Database
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.quota.quota import Quota, QuotaExceeded
from services.model_serving.batch.scoring.assignment import ChunkSpec, ItemResult
from services.model_serving.batch.work.burial import MOST_DEATHS, Burial
from services.model_serving.batch.work.chunk import Chunk
from services.model_serving.batch.work.claims import Claims
from tests.integration.model_serving.batch.orders import INPUT, caller, desk, split_job, stored

FINISH = {"type": "report"}


def claims_of(database: Database) -> Claims:
    return Claims(database, "tests", timedelta(hours=1))


def results(chunk: Chunk, *, failing: int | None = None) -> list[ItemResult]:
    return [
        ItemResult(item, "failed", None, "{}") if item == failing else ItemResult(item, "succeeded", str(item), None)
        for item in chunk.items
    ]


async def find(database: Database, job: Job) -> Job:
    return await desk(database).jobs.find("a", job.id)


class TestQuota:
    async def test_rows_of_tables_that_are_split_at_the_same_time_do_not_pass_it_together(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        for _ in range(6):
            await split_job(database)
        claims = Claims(database, "tests", timedelta(hours=1), Quota(files=1, size=1, items=10))
        taken = [await claims.take() for _ in range(6)]
        outcomes = await asyncio.gather(
            *(claims.split(chunk.claim, job, [ChunkSpec(INPUT, 4)]) for chunk, job in taken), return_exceptions=True
        )
        assert Counter(map(type, outcomes)) == {Job: 2, QuotaExceeded: 4}
        assert owner.execute("SELECT sum(items) FROM batch_jobs").fetchone() == (8,)
        held = [await claims.holds(chunk.claim) for chunk, _ in taken]
        assert held == [isinstance(outcome, QuotaExceeded) for outcome in outcomes]


class TestSplit:
    async def test_items_are_numbered_on_and_the_job_ends_with_the_last_chunk(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        job, claims = await split_job(database), claims_of(database)
        first, seen = await claims.take()
        assert (first.kind, list(first.items), first.input, first.source) == ("split", [], None, INPUT)
        parts = [ChunkSpec({"at": 0}, 3), ChunkSpec({"at": 9}, kind="split")]
        assert (await claims.split(first.claim, seen, parts)).items == 3
        assert await claims.split(first.claim, seen, parts) is None
        part, _ = await claims.take()
        assert (list(part.items), part.source) == ([0, 1, 2], {"at": 0, "first": 0})
        after = await claims.commit(part, seen, results(part))
        assert (after.state, after.items, after.succeeded) == ("running", 3, 3)
        rest, _ = await claims.take()
        await claims.split(rest.claim, seen, [ChunkSpec({"at": 9}, 2)])
        last, _ = await claims.take()
        assert (list(last.items), last.source) == ([3, 4], {"at": 9, "first": 3})
        after = await claims.commit(last, seen, results(last))
        assert (after.state, after.items, after.succeeded) == ("completed", 5, 5)
        assert set(stored(owner, job)) == set(range(5))

    async def test_an_input_without_items_is_a_job_that_has_ended(self, database: Database) -> None:
        job, claims = await split_job(database), claims_of(database)
        chunk, seen = await claims.take()
        assert (await claims.split(chunk.claim, seen, [])).state == "completed"
        assert (await find(database, job)).items == 0

    async def test_an_input_that_kills_fails_the_job(self, database: Database) -> None:
        job, claims = await split_job(database), claims_of(database)
        for _ in range(MOST_DEATHS):
            chunk, _ = await claims.take()
            assert await Burial(database).bury(chunk.claim, "signal 9", noticed="scorer")
        after = await find(database, job)
        assert (after.state, after.items, after.failed) == ("failed", 0, 0)
        assert "signal 9" in after.error

    async def test_a_cancelled_job_is_not_split(self, database: Database) -> None:
        job, claims = await split_job(database), claims_of(database)
        chunk, seen = await claims.take()
        assert (await desk(database).jobs.cancel(caller("a"), job.id)).state == "cancelled"
        assert await claims.split(chunk.claim, seen, [ChunkSpec({}, 3)]) is None
        assert (await find(database, job)).items == 0


class TestSource:
    async def test_halves_of_a_chunk_keep_it(self, database: Database) -> None:
        job, claims = await split_job(database), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [ChunkSpec({"at": 0}, 4)])
        scored = []
        while (taken := await claims.take()) is not None:
            chunk, _ = taken
            assert chunk.source == {"at": 0, "first": 0}
            if 2 in chunk.items:
                await Burial(database).bury(chunk.claim, "signal 9", noticed="scorer")
            else:
                scored.append(list(chunk.items))
                await claims.commit(chunk, seen, results(chunk))
        assert scored == [[0, 1], [3]]
        after = await find(database, job)
        assert (after.state, after.succeeded, after.failed) == ("completed", 3, 1)

    async def test_failed_items_are_tried_again_where_they_are(self, database: Database) -> None:
        job, claims = await split_job(database), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [ChunkSpec({"at": 0}, 2), ChunkSpec({"at": 5}, 2)])
        while (taken := await claims.take()) is not None:
            await claims.commit(taken[0], seen, results(taken[0], failing=3))
        for _ in range(2):
            await desk(database).jobs.retry(caller("a"), job.id)
            chunk, _ = await claims.take()
            assert (list(chunk.items), chunk.source, chunk.input) == ([3], {"at": 5, "first": 2}, None)
            assert await claims.take() is None
            await claims.commit(chunk, seen, results(chunk, failing=3))
        assert (await find(database, job)).failed == 1


class TestFinish:
    async def test_it_follows_the_end_and_leaves_the_job_as_it_is(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        job, claims = await split_job(database, finish=[FINISH]), claims_of(database)
        chunk, seen = await claims.take()
        ended = await claims.split(chunk.claim, seen, [])
        assert ended.state == "completed"
        last, seen = await claims.take()
        assert (last.kind, last.source) == ("finish", FINISH)
        assert await claims.finish(last.claim, seen, {"rows": 0})
        assert not await claims.finish(last.claim, seen, {"rows": 1})
        assert await claims.take() is None
        assert await find(database, job) == ended
        assert owner.execute("SELECT summary FROM batch_jobs").fetchall() == [({"rows": 0},)]

    async def test_each_adds_what_it_came_to_and_a_retry_forgets_it(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        job, claims = await split_job(database, finish=[FINISH, {"type": "table"}]), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [ChunkSpec({"at": 0}, 1)])
        only, _ = await claims.take()
        await claims.commit(only, seen, results(only, failing=0))
        both = [await claims.take() for _ in range(2)]
        assert [taken[0].source for taken in both] == [FINISH, {"type": "table"}]
        for taken in both:
            assert await claims.finish(taken[0].claim, taken[1], {taken[0].source["type"]: {"b": 1, "a": 2}})
        ((summary,),) = owner.execute("SELECT summary FROM batch_jobs")
        assert {name: list(one) for name, one in summary.items()} == {"report": ["b", "a"], "table": ["b", "a"]}
        await desk(database).jobs.retry(caller("a"), job.id)
        assert owner.execute("SELECT summary FROM batch_jobs").fetchall() == [(None,)]

    async def test_one_that_kills_is_given_up(self, database: Database) -> None:
        job, claims = await split_job(database, finish=[FINISH]), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [])
        while (taken := await claims.take()) is not None:
            assert await Burial(database).bury(taken[0].claim, "signal 9", noticed="scorer")
        assert (await find(database, job)).state == "completed"

    async def test_a_retry_puts_it_off(self, database: Database) -> None:
        job, claims = await split_job(database, finish=[FINISH]), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [ChunkSpec({"at": 0}, 1)])
        only, _ = await claims.take()
        await claims.commit(only, seen, results(only, failing=0))
        early, _ = await claims.take()
        await desk(database).jobs.retry(caller("a"), job.id)
        assert not await claims.finish(early.claim, seen, {})
        again, _ = await claims.take()
        assert again.kind == "score"
        await claims.commit(again, seen, results(again))
        late, _ = await claims.take()
        assert late.kind == "finish"

    async def test_cancelled_jobs_end_too(self, database: Database) -> None:
        job, claims = await split_job(database, finish=[FINISH]), claims_of(database)
        await desk(database).jobs.cancel(caller("a"), job.id)
        assert (await claims.take())[0].kind == "finish"
