"""A chunk that takes long is scored in turns, between which others have the slot."""

import asyncio
import io
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest import mock

import psycopg
import pyarrow.parquet as pq
import pytest

from mlplatform.auth import Role, mint_token
from mlplatform.database import Database
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.scoring.assignment import ChunkSpec, ItemResult, Written
from services.model_serving.batch.work.burial import MOST_DEATHS, Burial
from services.model_serving.batch.work.chunk import Chunk
from services.model_serving.batch.work.claims import Claims, TwiceError
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import caller, desk, doubled, split_job, stored
from tests.integration.model_serving.batch.workers import ended, fetch, results, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving

BACKLOG = 256
SMALL = 10_000
"""From which value on items are those of the small job."""


def rows(first: int, count: int) -> list[dict[str, float]]:
    return [{"a": float(number), "b": 0.0, "c": 0.0} for number in range(first, first + count)]


class Clerk:
    """Submits and watches the jobs of tenants."""

    def __init__(self, service: Service, model: str, headers: Callable[[str], dict[str, str]]) -> None:
        self._service = service
        self._model = model
        self._headers = headers

    async def submit(self, tenant: str, inputs: list[dict[str, float]]) -> str:
        body = {"model": self._model, "version": 1, "inputs": inputs}
        answer = await self._service.client.post("/api/v1/batch", json=body, headers=self._headers(tenant))
        assert answer.status_code == 202, answer.text
        return str(answer.headers["location"])

    async def job(self, tenant: str, place: str) -> dict:
        return dict((await self._service.client.get(place, headers=self._headers(tenant))).json())

    async def ended(self, tenant: str, place: str) -> dict:
        async def look() -> dict | None:
            job = await self.job(tenant, place)
            return job if job["finished_at"] else None

        return dict(await eventually(look))


class TestTurns:
    async def test_a_small_job_need_not_wait_for_a_chunk_of_a_slow_model(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        notes = tmp_path / "notes"
        await asyncio.to_thread(notes.touch)
        publisher.noting(notes, seconds=0.05)
        with mock.patch.dict(os.environ, settings_env):
            settings = ServingSettings()

        def headers(tenant: str) -> dict[str, str]:
            token = mint_token(settings, subject="t", tenant=tenant, roles=[Role.USER], ttl=timedelta(minutes=5))
            return {"Authorization": f"Bearer {token}"}

        async def begun() -> bool:
            return bool(await asyncio.to_thread(notes.read_text))

        async with (
            serving(settings_env, publisher, tmp_path / "serving", ML_AUTH_ENABLED="true") as service,
            worker(settings_env, tmp_path, ML_AUTH_ENABLED="true", ML_BATCH_TURN="500ms"),
        ):
            clerk = Clerk(service, publisher.name, headers)
            long = await clerk.submit("long", rows(100, BACKLOG))
            await eventually(begun)
            small = await clerk.submit("small", rows(SMALL, 3))
            first = await clerk.ended("small", small)
            meanwhile = await clerk.job("long", long)
            last = await clerk.ended("long", long)
        assert (first["succeeded"], last["succeeded"]) == (3, BACKLOG)
        assert 0 < meanwhile["succeeded"] < BACKLOG / 2
        scored = [int(line) for line in notes.read_text().split()]
        assert [one for one in scored if one < SMALL] == [*range(100, 100 + BACKLOG)]
        assert [one for one in scored if one >= SMALL] == [*range(SMALL, SMALL + 3)]
        assert scored.index(SMALL) < BACKLOG / 2
        answers = owner.execute(
            "SELECT item, output::text::float FROM batch_results r JOIN batch_jobs j ON j.id = r.job_id "
            "WHERE j.items = %s ORDER BY item",
            (BACKLOG,),
        ).fetchall()
        assert answers == [(item, 2.0 * (100 + item)) for item in range(BACKLOG)]

    async def test_the_rows_of_a_table_keep_their_order_and_those_that_are_wrong_fail_once(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        notes = tmp_path / "notes"
        await asyncio.to_thread(notes.touch)
        publisher.noting(notes, seconds=0.05)
        lines = [f"{number},0,0" for number in range(100, 160)]
        lines[20] = lines[40] = "1,2"
        content = "\n".join(["a,b,c", *lines]).encode()
        async with (
            serving(settings_env, publisher, tmp_path / "serving") as service,
            worker(settings_env, tmp_path, ML_BATCH_TURN="100ms"),
        ):
            answer = await service.client.post(
                "/api/v1/batch/table",
                content=content,
                headers={"content-type": "text/csv"},
                params={"model": publisher.name, "version": "1"},
            )
            place = answer.headers["location"]
            job = await ended(service, place)
            found = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
            failed = await results(service, place)
        assert (job["succeeded"], job["failed"]) == (58, 2)
        assert [one["item"] for one in failed] == [20, 40]
        right = [row for row in range(60) if row not in {20, 40}]
        assert found.column("item").to_pylist() == [*range(60)]
        assert [found.column("prediction").to_pylist()[row] for row in right] == [2.0 * (100 + row) for row in right]
        assert [int(line) for line in notes.read_text().split()] == [100 + row for row in right]
        rows = owner.execute(
            "SELECT first_item, item_count, claim, result_key IS NOT NULL FROM batch_chunks WHERE kind = 'score' "
            "ORDER BY first_item"
        ).fetchall()
        assert len(rows) > 1
        assert {row[2:] for row in rows} == {(1, True)}
        assert [first for first, _, _, _ in rows[1:]] == [first + count for first, count, _, _ in rows[:-1]]


def claims_of(database: Database) -> Claims:
    return Claims(database, "tests", timedelta(hours=1))


async def in_turns(claims: Claims, most: int = 2) -> list[list[int]]:
    """Score everything that is queued, so many items in each turn, and return which were scored in each."""
    found = []
    while (taken := await claims.take()) is not None:
        chunk, job = taken
        done = min(most, len(chunk.items))
        assert await claims.commit(chunk, job, doubled(chunk)[:done], len(chunk.items) - done) is not None
        found.append(list(chunk.items[:done]))
    return found


class TestRest:
    async def test_it_comes_next_of_its_job_and_each_item_has_one_result(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims = desk(database, chunk_items=5), claims_of(database)
        job = await reception.submit("a", list(range(12)))
        before = owner.execute("SELECT number, queued_at FROM batch_chunks ORDER BY number").fetchall()
        assert await in_turns(claims) == [[0, 1], [2, 3], [4], [5, 6], [7, 8], [9], [10, 11]]
        after = await reception.jobs.find("a", job.id)
        assert (after.state, after.succeeded) == ("completed", 12)
        assert stored(owner, job) == {item: ("succeeded", 2 * item) for item in range(12)}
        rows = owner.execute("SELECT first_item / 5, queued_at, claim, state FROM batch_chunks").fetchall()
        assert {(number, queued_at) for number, queued_at, _, _ in rows} == set(before)
        assert {row[2:] for row in rows} == {(1, "done")}

    async def test_another_tenant_comes_before_it(self, database: Database) -> None:
        reception, claims = desk(database, chunk_items=64), claims_of(database)
        await reception.submit("long", list(range(64)))
        first, job = await claims.take()
        await reception.submit("small", [1])
        await claims.commit(first, job, doubled(first)[:3], 61)
        tenants = []
        for _ in range(2):
            chunk, job = await claims.take()
            tenants.append((chunk.claim.tenant_id, chunk.items[0]))
            await claims.commit(chunk, job, doubled(chunk)[:1], len(chunk.items) - 1)
        assert tenants == [("small", 0), ("long", 3)]
        assert chunk.queued_at > first.queued_at  # it has not waited while its first items were scored

    async def test_an_item_that_kills_is_found_in_it_and_the_others_are_scored(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims, burial = desk(database, chunk_items=16), claims_of(database), Burial(database)
        job = await reception.submit("a", list(range(16)))
        deaths = 0
        while (taken := await claims.take()) is not None:
            chunk, seen = taken
            if 11 in chunk.items[:4]:
                assert await burial.bury(chunk.claim, "signal 9", noticed="scorer")
                deaths += 1
            else:
                await claims.commit(chunk, seen, doubled(chunk)[:4], max(0, len(chunk.items) - 4))
        found = stored(owner, job)
        assert found.pop(11) == ("failed", None)
        assert found == {item: ("succeeded", 2 * item) for item in range(16) if item != 11}
        assert deaths == MOST_DEATHS + 3  # once more for each time that the items from 8 to 15 are halved

    async def test_deaths_before_a_turn_are_not_held_against_what_it_left(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims, burial = desk(database, chunk_items=4), claims_of(database), Burial(database)
        await reception.submit("a", list(range(4)))
        for loading in (False, True):
            chunk, _ = await claims.take()
            await burial.bury(chunk.claim, "signal 9", noticed="scorer", loading=loading)
        chunk, job = await claims.take()
        await claims.commit(chunk, job, doubled(chunk)[:1], 3)
        rows = owner.execute("SELECT first_item, deaths, load_deaths FROM batch_chunks ORDER BY 1").fetchall()
        assert rows == [(0, 1, 1), (1, 0, 0)]

    async def test_it_is_cancelled_with_the_others(self, database: Database) -> None:
        reception, claims = desk(database, chunk_items=8), claims_of(database)
        job = await reception.submit("a", list(range(16)))
        chunk, seen = await claims.take()
        await claims.commit(chunk, seen, doubled(chunk)[:3], 5)
        after = await reception.jobs.cancel(caller("a"), job.id)
        assert (after.succeeded, after.cancelled) == (3, 13)
        assert await claims.take() is None

    async def test_nothing_is_left_of_a_job_that_is_cancelled_at_the_same_time(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        reception, claims = desk(database, chunk_items=8), claims_of(database)
        for _ in range(5):
            job = await reception.submit("a", list(range(64)))
            taken = [await claims.take() for _ in range(8)]
            *_, after = await asyncio.gather(
                *(claims.commit(chunk, seen, doubled(chunk)[:3], 5) for chunk, seen in taken),
                reception.jobs.cancel(caller("a"), job.id),
            )
            assert after.succeeded + after.cancelled == 64
            assert len(stored(owner, job)) == after.succeeded
            assert await claims.take() is None

    async def test_who_lost_the_claim_leaves_nothing(self, database: Database, owner: psycopg.Connection) -> None:
        job, claims = await desk(database).submit("a", [1, 2, 3, 4]), claims_of(database)
        chunk, seen = await claims.take()
        assert await claims.release(chunk.claim)
        assert await claims.commit(chunk, seen, doubled(chunk)[:1], 3) is None
        assert owner.execute("SELECT item_count, state FROM batch_chunks").fetchall() == [(4, "queued")]
        assert stored(owner, job) == {}

    @pytest.mark.parametrize(("done", "rest"), [(1, 0), (1, 2), (4, 1)])
    async def test_an_item_without_result_is_never_lost(
        self, database: Database, owner: psycopg.Connection, done: int, rest: int
    ) -> None:
        job, claims = await desk(database).submit("a", [1, 2, 3, 4]), claims_of(database)
        chunk, seen = await claims.take()
        with pytest.raises(TwiceError):
            await claims.commit(chunk, seen, doubled(chunk)[:done], rest)
        assert stored(owner, job) == {}

    async def test_failed_items_of_several_turns_are_tried_again_together(self, database: Database) -> None:
        reception, claims = desk(database, chunk_items=6), claims_of(database)
        job = await reception.submit("a", [0, "x", 2, 3, "y", "z"])
        await in_turns(claims)
        await reception.jobs.retry(caller("a"), job.id)
        chunk, _ = await claims.take()
        assert (list(chunk.items), chunk.input) == ([1, 4, 5], b'["x","y","z"]')

    async def test_failed_rows_of_several_turns_are_tried_again_where_they_are(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        job, claims = await split_job(database), claims_of(database)
        chunk, seen = await claims.take()
        await claims.split(chunk.claim, seen, [ChunkSpec({"at": 0}, 6)])
        while (taken := await claims.take()) is not None:
            chunk, _ = taken
            assert chunk.source == {"at": 0, "first": 0}
            await claims.commit_object(chunk, seen, _written(chunk, 4))
        assert (await _found(database, job)).failed == 3
        assert owner.execute("SELECT sum(item_count), count(result_key) FROM batch_chunks").fetchone() == (6, 2)
        await desk(database).jobs.retry(caller("a"), job.id)
        retried, _ = await claims.take()
        assert (list(retried.items), retried.source) == ([1, 3, 5], {"at": 0, "first": 0})
        assert await claims.take() is None


def _written(chunk: Chunk, most: int) -> Written:
    """Score rows of a chunk, of which those with odd numbers fail."""
    done = chunk.items[:most]
    failures = [ItemResult(item, "failed", None, '{"detail": ""}') for item in done if item % 2]
    return Written(f"k{done[0]}", len(done) - len(failures), failures, len(chunk.items) - len(done))


async def _found(database: Database, job: Job) -> Job:
    return await desk(database).jobs.find("a", job.id)
