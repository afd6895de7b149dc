"""Old jobs are deleted when beat says so, with all that was stored for them, and no others."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest

from mlplatform.database import Database
from mlplatform.objects import ObjectStore
from services.model_serving.batch.jobs import repository as jobs
from services.model_serving.batch.quota.repository import used
from services.model_serving.batch.review import repository as reviews
from services.model_serving.batch.scoring.assignment import UnsureRow
from services.model_serving.batch.tables.tables import KIND as TABLES
from services.model_serving.batch.uploads import repository as uploads
from services.model_serving.batch.uploads.received import SOURCE as FILES
from services.model_serving.batch.uploads.removal import Removal, key_of
from services.model_serving.batch.work.burial import Burial
from services.model_serving.batch.work.upkeep import Upkeep
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.conftest import keys
from tests.integration.model_serving.batch.orders import MODEL
from tests.integration.model_serving.batch.workers import ended, fetch, results, submit_table, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving

TABLE = b"a,b,c\n1,0,0\n2,0,0\nx,0,0\n"
OLD = {"ML_BATCH_RETENTION": "1s", "ML_BATCH_LEASE": "1h"}
"""Leases are looked after too seldom to remind anybody of old jobs: only a message of beat does."""
DAY = timedelta(days=1)
ROWS = """
    SELECT (SELECT count(*) FROM batch_jobs WHERE id = %(job)s),
        (SELECT count(*) FROM batch_chunks WHERE job_id = %(job)s),
        (SELECT count(*) FROM batch_results WHERE job_id = %(job)s)
"""


async def submitted(service: Service, publisher: Publisher, **query: str) -> str:
    """Submit a table, and return where its job is when all of its results are stored."""
    place = await submit_table(service, publisher, TABLE, **query)
    assert (await ended(service, place))["succeeded"] == 2
    assert await fetch(service, place, "csv")
    return place


def id_of(place: str) -> UUID:
    return UUID(place.rsplit("/", 1)[1])


@pytest.fixture
def environment(settings_env: dict[str, str], settings: ServingSettings) -> dict[str, str]:
    return settings_env | {"ML_S3_BUCKET": settings.s3_bucket}


class Stored:
    """Counts what is stored."""

    def __init__(self, owner: psycopg.Connection, objects: ObjectStore, settings: ServingSettings) -> None:
        self._owner = owner
        self._keys = lambda: keys(objects, settings)

    def of(self, job: UUID) -> list[int]:
        """Count the row of a job, its chunks, its results, and the objects with results."""
        (*rows,) = self._owner.execute(ROWS, {"job": job}).fetchone()
        return [*rows, sum(f"/{job}/" in key for key in self._keys())]

    def uploads(self) -> int:
        """Count the objects of uploads."""
        return sum(key.startswith("batch/uploads/") for key in self._keys())


@pytest.fixture
def stored(owner: psycopg.Connection, objects: ObjectStore, settings: ServingSettings) -> Stored:
    return Stored(owner, objects, settings)


class TestRetention:
    async def test_what_is_past_it_goes_and_what_is_not_stays(
        self,
        publisher: Publisher,
        environment: dict[str, str],
        stored: Stored,
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path / "serving") as service:
            async with worker(environment, tmp_path):
                places = [await submitted(service, publisher) for _ in range(3)]
            *old, kept = [id_of(place) for place in places]
            before = stored.of(kept)
            assert min(before) > 0
            assert stored.uploads() == 3
            owner.execute("UPDATE batch_jobs SET finished_at = now() + interval '1 day'")
            async with worker(environment, tmp_path, **OLD):
                for job in old:  # the first may be found as the worker begins, the second may not

                    async def gone(job: UUID = job) -> bool:
                        return stored.of(job) == [0, 0, 0, 0]

                    owner.execute("UPDATE batch_jobs SET finished_at = now() - interval '1 day' WHERE id = %s", (job,))
                    await eventually(gone)
            assert stored.of(kept) == before
            assert [(await service.client.get(place)).status_code for place in places] == [404, 404, 200]
            assert [one["item"] for one in await results(service, places[-1])] == [2]
            assert await fetch(service, places[-1], "csv")

            async def uploads_gone() -> bool:
                return stored.uploads() == 1

            async with worker(environment, tmp_path):  # which looks for uploads without a job as it begins
                await eventually(uploads_gone)


class Kept:
    """Uploads of a tenant, and what their jobs count for.

    Args:
        database: Where they are.
        objects: Where they are as well.
        owner: Of the database.
    """

    def __init__(self, database: Database, objects: ObjectStore, owner: psycopg.Connection) -> None:
        self._database = database
        self._objects = objects
        self._owner = owner
        self._removal = Removal(database, objects, DAY)
        self._upkeep = Upkeep(database, objects, Burial(database), interval=DAY, retention=DAY)

    async def add(self, kind: str, *, is_reviewed: bool = False) -> str:
        """Store a job of an upload, perhaps with a result that is to be reviewed, and return the key of the upload."""
        upload = uuid4()
        async with self._database.transaction("a") as connection:
            about = {"model": asdict(MODEL), "params": {}, "items": 1, "subject": "somebody"}
            job = await jobs.create(connection, uuid4(), kind=kind, **about)
            await uploads.begin(connection, upload, 1)
            assert await uploads.keep(connection, upload, job.id, files=1, size=len(TABLE))
            if is_reviewed:
                await reviews.add_rows(connection, job, [UnsureRow(0, "{}", "{}", 0.5)])
        await self._objects.put(key_of(upload, 0), TABLE)
        return key_of(upload, 0)

    async def used(self) -> tuple[int, int]:
        """Return how many files and bytes count into the quota."""
        async with self._database.transaction("a") as connection:
            found = await used(connection)
        return found["files"], found["bytes"]

    async def retain(self, *, age: timedelta) -> int:
        """Delete old jobs as a worker does, when all ended so long ago, and return how many that were."""
        self._owner.execute(
            "UPDATE batch_jobs SET state = 'completed', succeeded = items - failed, finished_at = now() - %s", (age,)
        )
        return await self._upkeep.delete_old()

    async def sweep(self) -> int:
        """Delete uploads as a worker does, and return how many that were."""
        return await self._removal.sweep()


@pytest.fixture
def kept(database: Database, objects: ObjectStore, owner: psycopg.Connection) -> Kept:
    return Kept(database, objects, owner)


class TestUploads:
    async def test_those_of_a_deleted_job_count_no_more_at_once_and_go_with_the_next_sweep(
        self, kept: Kept, stored: Stored
    ) -> None:
        for kind in (FILES, TABLES):
            await kept.add(kind)
        assert await kept.used() == (2, 2 * len(TABLE))
        assert await kept.retain(age=2 * DAY) == 2
        assert (await kept.used(), stored.uploads()) == ((0, 0), 2)
        assert (await kept.sweep(), stored.uploads()) == (2, 0)

    async def test_a_table_goes_with_its_job_and_files_stay_while_results_are_to_be_reviewed(
        self, kept: Kept, objects: ObjectStore, stored: Stored, owner: psycopg.Connection
    ) -> None:
        await kept.add(TABLES, is_reviewed=True)
        files = await kept.add(FILES, is_reviewed=True)
        assert await kept.retain(age=2 * DAY) == 2
        assert await kept.used() == (1, len(TABLE))
        assert (await kept.sweep(), stored.uploads()) == (1, 1)
        assert await objects.exists(files)
        assert owner.execute("SELECT count(*) FROM batch_reviews WHERE state = 'pending'").fetchone() == (2,)

    async def test_those_of_a_job_that_is_kept_stay(self, kept: Kept, stored: Stored) -> None:
        await kept.add(FILES)
        assert (await kept.retain(age=DAY / 2), await kept.sweep()) == (0, 0)
        assert (await kept.used(), stored.uploads()) == ((1, len(TABLE)), 1)

    async def test_reviews_of_a_table_outlive_it(
        self,
        kept: Kept,
        stored: Stored,
        publisher: Publisher,
        environment: dict[str, str],
        tmp_path: Path,
    ) -> None:
        publisher.classifier()
        async with serving(environment, publisher, tmp_path / "serving") as service:
            async with worker(environment, tmp_path):
                wishes = {"params": '{"scale": 0.45}', "threshold": "0.8", "results": "csv", "report": "false"}
                await submitted(service, publisher, **wishes)
            assert await kept.retain(age=2 * DAY) == 1
            assert (await kept.sweep(), stored.uploads()) == (1, 0)
            (review,) = (await service.client.get("/api/v1/reviews")).json()["reviews"]
            assert (review["state"], review["input"]) == ("pending", {"a": 1.0, "b": 0.0, "c": 0.0})
            place = f"/api/v1/reviews/{review['id']}"
            assert (await service.client.get(f"{place}/file")).status_code == 404
            assert (await service.client.post(f"{place}/correct", json={"label": "high"})).status_code == 200
            export = await service.client.get("/api/v1/reviews/export", params={"model": publisher.name})
        line = orjson.loads(export.text)
        assert (line["input"], line["file"], line["label"]) == (review["input"], None, "high")
