"""Results of jobs of each kind as files, with a worker that is a process of its own."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pyarrow.parquet as pq
import pytest

from mlplatform.database import Database
from mlplatform.errors import Conflict, NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.exports.exports import MOST_ORDERS, Exports
from services.model_serving.batch.exports.files import EarlierFiles
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.places import results_folder
from services.model_serving.batch.work.burial import MOST_DEATHS, Burial
from services.model_serving.batch.work.claims import Claims
from services.model_serving.batch.work.upkeep import Upkeep
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.conftest import keys
from tests.integration.model_serving.batch.orders import Silence, caller, desk, doubled
from tests.integration.model_serving.batch.workers import ended, fetch, submit, worker
from tests.integration.model_serving.forwarder import free_port
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.unit.model_serving.batch.uploads.corpus import packed

FORMS = ("parquet", "csv", "jsonl")


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path / "serving", ML_BATCH_CHUNK_ITEMS="64") as running:
        yield running


async def rows_of(service: Service, place: str) -> list[dict[str, Any]]:
    """Return the rows of the results, which must be the same in all forms."""
    parquet = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
    rows = parquet.to_pylist()
    lines = [json.loads(line) for line in (await fetch(service, place, "jsonl")).splitlines()]
    assert lines == rows
    assert all(list(line) == parquet.column_names for line in lines)
    reader = csv.DictReader(io.StringIO((await fetch(service, place, "csv")).decode()))
    cells = list(reader)
    assert reader.fieldnames == parquet.column_names
    assert [
        {name: _read(cell, row[name]) for name, cell in line.items()} for line, row in zip(cells, rows, strict=True)
    ] == rows
    return rows


def _read(cell: str, other: object) -> object:
    """Return what a cell says, as the type that the other forms have."""
    if not cell:
        return None
    return type(other)(cell) if isinstance(other, int | float) else cell


class TestInline:
    async def test_each_item_is_a_row_of_each_form(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        items = [{"a": number / 4, "b": 0.0, "c": 0.0} for number in range(1500)]
        items[700] = {"a": "text", "b": 0.0, "c": 0.0}
        async with worker(settings_env, tmp_path):
            place = await submit(service, publisher, items, version=1)
            await ended(service, place)
            rows = await rows_of(service, place)
            page = (await service.client.get(f"{place}/results", params={"limit": 1000})).json()["results"]
        assert [row["item"] for row in rows] == list(range(1500))
        assert list(rows[0]) == ["item", "prediction", "code", "error"]
        assert [row["prediction"] for row in rows[:1000]] == [one["output"] for one in page]
        assert (rows[700]["code"], rows[700]["error"]) == ("invalid_inputs", "item.a: must be a number or null")
        assert [row["item"] for row in rows if row["error"]] == [700]

    async def test_a_job_without_a_worker_is_told_apart_from_one_that_goes_on(
        self, service: Service, publisher: Publisher
    ) -> None:
        publisher.linear(2.0)
        place = await submit(service, publisher, [{"a": 1.0, "b": 0.0, "c": 0.0}], version=1)
        answer = await service.client.get(f"{place}/results.csv")
        assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ended")
        assert "queued" in answer.json()["detail"]
        await service.client.post(f"{place}/cancel")
        answer = await service.client.get(f"{place}/results.csv")
        assert (answer.status_code, answer.json()["code"]) == (409, "results_not_written")
        assert answer.headers["retry-after"] == "1"
        assert (await service.client.get(f"{place}/results.xlsx")).status_code == 422
        assert (
            await service.client.get(f"/api/v1/jobs/{'0' * 8}-0000-4000-8000-{'0' * 12}/results.csv")
        ).status_code == 404


class TestFiles:
    async def test_a_row_says_which_file_it_is_of(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.counter()
        files = [("a.txt", b"a banana"), ("b.zip", packed({"x/c.txt": b"two", "d.txt": b"\xff\xff"}))]
        parts = [("files", (name, content)) for name, content in files]
        async with worker(settings_env, tmp_path):
            answer = await service.client.post(
                "/api/v1/batch/files", data={"model": publisher.name, "version": "1"}, files=parts
            )
            assert answer.status_code == 202, answer.text
            place = answer.headers["location"]
            await ended(service, place)
            rows = await rows_of(service, place)
        assert rows[:2] == [
            {
                "item": 0, "name": "a.txt", "prediction_length": 8, "prediction_share": 0.5,
                "prediction_words": '["a","banana"]', "code": None, "error": None,
            },
            {
                "item": 1, "name": "x/c.txt", "prediction_length": 3, "prediction_share": 0.0,
                "prediction_words": '["two"]', "code": None, "error": None,
            },
        ]  # fmt: skip
        assert (rows[2]["name"], rows[2]["prediction_length"]) == ("d.txt", None)
        assert rows[2]["error"]
        assert rows[2]["code"] != "invalid_inputs"


class TestRetry:
    async def test_the_file_of_the_end_before_goes_when_there_is_a_new_one(
        self,
        settings: ServingSettings,
        objects: ObjectStore,
        settings_env: dict[str, str],
        publisher: Publisher,
        tmp_path: Path,
    ) -> None:
        publisher.linear(2.0)
        environment = settings_env | {"ML_S3_BUCKET": settings.s3_bucket}
        items = [{"a": 1.0, "b": 0.0, "c": 0.0}, {"a": "text", "b": 0.0, "c": 0.0}]
        async with serving(environment, publisher, tmp_path / "serving") as service, worker(environment, tmp_path):
            place = await submit(service, publisher, items, version=1)
            await ended(service, place)
            for form in ("csv", "parquet"):
                await fetch(service, place, form)
            csv_before, parquet = sorted(keys(objects, settings), key=lambda key: key.endswith("parquet"))
            assert (await service.client.post(f"{place}/retry")).status_code < 300
            await ended(service, place)
            content = await fetch(service, place, "csv")

            async def gone() -> bool:
                return not await objects.exists(csv_before)

            await eventually(gone)
            assert await fetch(service, place, "csv") == content
            after = keys(objects, settings)
        assert parquet in after
        assert len(after) == 2


def exports_of(database: Database, objects: ObjectStore) -> Exports:
    return Exports(database, objects, Silence())


def claims_of(database: Database) -> Claims:
    return Claims(database, "tests", timedelta(hours=1))


async def work_off(claims: Claims) -> None:
    """Score what there is to score."""
    while (taken := await claims.take()) is not None:
        await claims.commit(*taken, doubled(taken[0]))


class TestRequest:
    async def test_a_file_is_written_once_however_often_it_is_asked_for(
        self, database: Database, objects: ObjectStore
    ) -> None:
        job, claims = await desk(database).submit("a", [1, "x"]), claims_of(database)
        await work_off(claims)
        exports = exports_of(database, objects)
        for _ in range(3):
            with pytest.raises(Conflict, match="not written yet"):
                await exports.address("a", job.id, "csv")
        with pytest.raises(Conflict, match="queued for a worker"):
            await exports.address("a", job.id, "parquet")
        with pytest.raises(NotFound):
            await exports.address("b", job.id, "csv")
        both = [await claims.take() for _ in range(2)]
        assert await claims.take() is None
        assert [taken[0].source["forms"] for taken in both] == [["csv"], ["parquet"]]
        for chunk, seen in both:
            (form,) = chunk.source["forms"]
            assert await claims.finish(chunk.claim, seen, {"results": {form: f"batch/key.{form}"}})
        assert "batch/key.csv" in await exports.address("a", job.id, "csv")
        assert "batch/key.parquet" in await exports.address("a", job.id, "parquet")

    async def test_after_a_retry_it_is_written_anew(self, database: Database, objects: ObjectStore) -> None:
        job, claims = await desk(database).submit("a", [1, "x"]), claims_of(database)
        await work_off(claims)
        exports = exports_of(database, objects)
        with pytest.raises(Conflict):
            await exports.address("a", job.id, "csv")
        chunk, seen = await claims.take()
        assert await claims.finish(chunk.claim, seen, {"results": {"csv": "batch/key.csv"}})
        await desk(database).jobs.retry(caller("a"), job.id)
        with pytest.raises(Conflict, match="queued"):
            await exports.address("a", job.id, "csv")
        await work_off(claims)
        with pytest.raises(Conflict, match="not written yet"):
            await exports.address("a", job.id, "csv")
        chunk, _ = await claims.take()
        assert chunk.kind == "finish"

    async def test_it_has_the_place_of_its_job_before_what_was_submitted_since(
        self, database: Database, objects: ObjectStore
    ) -> None:
        reception, claims = desk(database, chunk_items=1), claims_of(database)
        job = await reception.submit("a", [1])
        await work_off(claims)
        ended_at = (await reception.jobs.find("a", job.id)).finished_at
        await reception.submit("a", [2, 3, 4])
        with pytest.raises(Conflict):
            await exports_of(database, objects).address("a", job.id, "csv")
        chunk, _ = await claims.take()
        assert (chunk.claim.job_id, chunk.kind) == (job.id, "finish")
        assert chunk.queued_at > ended_at  # for the metric, since it did not wait before

    async def test_who_waits_for_a_file_that_cannot_be_written_is_told(
        self, database: Database, objects: ObjectStore
    ) -> None:
        job, claims = await desk(database).submit("a", [1]), claims_of(database)
        await work_off(claims)
        exports = exports_of(database, objects)
        for _ in range(MOST_ORDERS):
            for _ in range(2):
                with pytest.raises(Conflict, match="not written yet"):
                    await exports.address("a", job.id, "csv")
            chunk, seen = await claims.take()
            assert await claims.finish(chunk.claim, seen, None)
        for _ in range(2):
            with pytest.raises(NotFound, match=r"could not be written"):
                await exports.address("a", job.id, "csv")
        assert await claims.take() is None
        assert await written(exports, claims, objects, job, "parquet") in await exports.address("a", job.id, "parquet")

    async def test_a_file_that_one_worker_could_not_write_another_one_writes(
        self, database: Database, objects: ObjectStore
    ) -> None:
        job, claims = await desk(database).submit("a", [1]), claims_of(database)
        await work_off(claims)
        exports = exports_of(database, objects)
        with pytest.raises(Conflict):
            await exports.address("a", job.id, "csv")
        chunk, seen = await claims.take()
        assert await claims.finish(chunk.claim, seen, None)  # as a worker of an earlier release does
        key = await written(exports, claims, objects, job, "csv")
        assert key in await exports.address("a", job.id, "csv")

    async def test_a_file_over_which_workers_were_killed_is_written_when_it_is_asked_for_again(
        self, database: Database, objects: ObjectStore
    ) -> None:
        job, claims = await desk(database).submit("a", [1]), claims_of(database)
        await work_off(claims)
        exports = exports_of(database, objects)
        with pytest.raises(Conflict):
            await exports.address("a", job.id, "csv")
        for _ in range(MOST_DEATHS):
            chunk, _ = await claims.take()
            assert await Burial(database).bury(chunk.claim, "signal 9", noticed="lease")
        assert await claims.take() is None
        key = await written(exports, claims, objects, job, "csv")
        assert key in await exports.address("a", job.id, "csv")


async def written(exports: Exports, claims: Claims, objects: ObjectStore, job: Job, form: Any) -> str:
    """Ask for a file, write it as a worker does, and return its key."""
    with pytest.raises(Conflict, match="not written yet"):
        await exports.address("a", job.id, form)
    chunk, seen = await claims.take()
    key = f"{results_folder('a', job.id)}/{uuid4()}.{form}"
    await objects.put(key, b"x")
    assert await claims.finish(chunk.claim, seen, {"results": {form: key}})
    return key


class TestEarlierFiles:
    async def test_nothing_else_of_the_job_is_deleted(self, database: Database, objects: ObjectStore) -> None:
        reception = desk(database)
        job, other = [await reception.submit("a", [1, "x"]) for _ in range(2)]
        claims = Claims(database, "tests", timedelta(hours=1), earlier=EarlierFiles(objects))
        await work_off(claims)
        exports = exports_of(database, objects)
        part = f"{results_folder('a', job.id)}/{uuid4()}"
        await objects.put(part, b"x")
        old = [await written(exports, claims, objects, one, form) for one in (job, other) for form in ("csv", "jsonl")]
        await reception.jobs.retry(caller("a"), job.id)
        await work_off(claims)
        new = await written(exports, claims, objects, job, "csv")
        assert [await objects.exists(key) for key in (*old, part, new)] == [False, True, True, True, True, True]

    async def test_without_the_store_they_stay_and_the_new_one_is_known(
        self, database: Database, objects: ObjectStore, settings: ServingSettings
    ) -> None:
        away = ObjectStore(settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{free_port()}"}))
        job = await desk(database).submit("a", [1])
        claims = Claims(database, "tests", timedelta(hours=1), earlier=EarlierFiles(away))
        await work_off(claims)
        exports = exports_of(database, objects)
        assert await written(exports, claims, objects, job, "csv") in await exports.address("a", job.id, "csv")
        away.close()


class TestRetention:
    async def test_a_job_whose_file_is_being_written_waits(
        self, database: Database, objects: ObjectStore, owner: psycopg.Connection
    ) -> None:
        job, claims = await desk(database).submit("a", [1]), claims_of(database)
        await work_off(claims)
        with pytest.raises(Conflict):
            await exports_of(database, objects).address("a", job.id, "csv")
        chunk, seen = await claims.take()
        owner.execute("UPDATE batch_jobs SET finished_at = now() - interval '8 days'")
        upkeep = Upkeep(database, objects, None, interval=timedelta(hours=1), retention=timedelta(days=7))
        assert await upkeep.delete_old() == 0
        key = f"{results_folder('a', job.id)}/file.csv"
        await objects.put(key, b"x")
        assert await claims.finish(chunk.claim, seen, {"results": {"csv": key}})
        assert await upkeep.delete_old() == 1
        assert not await objects.exists(key)
