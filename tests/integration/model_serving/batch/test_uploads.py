"""Files over HTTP: each becomes an item, and what breaks a limit leaves nothing behind."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest import mock
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from minio import Minio
from starlette.requests import ClientDisconnect

from mlplatform.database import Database
from mlplatform.errors import Conflict, DependencyUnavailable
from mlplatform.objects import ObjectStore
from services.model_serving.batch.uploads import repository
from services.model_serving.batch.uploads.errors import BadForm, UploadTooLarge
from services.model_serving.batch.uploads.form import Form
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.receiving import Receiver
from services.model_serving.batch.uploads.removal import Removal, key_of
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.unit.model_serving.batch.uploads.corpus import encrypted, link, overlapping, packed, picture, png

KIB = 1024
LIMITS = {
    "ML_MAX_FILE_SIZE": str(64 * KIB),
    "ML_MAX_FILES_PER_BATCH": "5",
    "ML_MAX_TOTAL_UPLOAD_SIZE": str(128 * KIB),
    "ML_BATCH_CHUNK_ITEMS": "4",
    "ML_BATCH_ARCHIVE_ENTRIES": "20",
}
TEXT = b"good morning"
HOUR = timedelta(hours=1)


class Bucket:
    """A bucket of the test's own."""

    def __init__(self, settings: ServingSettings) -> None:
        self.objects = ObjectStore(settings)
        self._name = settings.s3_bucket
        self._client: Minio = self.objects._client

    def listed(self) -> set[str]:
        return {str(one.object_name) for one in self._client.list_objects(self._name, recursive=True)}

    def clear(self) -> None:
        for key in self.listed():
            self._client.remove_object(self._name, key)
        self._client.remove_bucket(self._name)


@pytest.fixture
def environment(settings_env: dict[str, str], unique: str) -> dict[str, str]:
    return settings_env | LIMITS | {"ML_S3_BUCKET": unique}


@pytest.fixture
async def bucket(environment: dict[str, str]) -> AsyncIterator[Bucket]:
    with mock.patch.dict(os.environ, environment):
        found = Bucket(ServingSettings())
    await found.objects.ensure_bucket()
    yield found
    found.clear()
    found.objects.close()


@pytest.fixture
async def service(
    environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
) -> AsyncIterator[Service]:
    publisher.linear(2.0)
    async with serving(environment, publisher, tmp_path) as running:
        yield running


async def send(
    service: Service, publisher: Publisher, *contents: bytes, headers: dict[str, str] | None = None, **fields: str
) -> httpx.Response:
    """Send files under names that mean harm."""
    files = [("files", (f"../../etc/{number}.exe", content)) for number, content in enumerate(contents)]
    data = {"model": publisher.name, "version": "1", **fields}
    return await service.client.post("/api/v1/batch/files", data=data, files=files, headers=headers)


def rows(owner: psycopg.Connection) -> list[tuple[int, int]]:
    return owner.execute("SELECT files, bytes FROM batch_uploads").fetchall()


class TestSubmit:
    async def test_each_file_is_an_item_under_a_key_of_ours(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        archive = packed({"b.txt": b"bye", "a/c.png": picture("PNG")})
        answer = await send(service, publisher, picture("PNG"), archive, TEXT, b"%PDF-1.7")
        assert answer.status_code == 202, answer.text
        job = answer.json()
        assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
        assert (job["kind"], job["state"], job["items"]) == ("files", "queued", 5)
        (upload,) = {UUID(key.split("/")[2]) for key in bucket.listed()}
        assert bucket.listed() == {key_of(upload, number) for number in range(3)}
        chunks = owner.execute("SELECT source FROM batch_chunks ORDER BY number").fetchall()
        assert [chunk["first"] for (chunk,) in chunks] == [0, 4]
        items = [item for (chunk,) in chunks for item in chunk["items"]]
        assert [item["name"] for item in items] == ["0.exe", "b.txt", "a/c.png", "2.exe", "3.exe"]
        assert [item.get("place") for item in items] == [None, 0, 1, None, None]
        assert "a PDF document" in items[4]["error"][1]
        assert rows(owner) == [(4, len(picture("PNG")) + len(archive) + len(TEXT) + 8)]
        assert await bucket.objects.get(items[3]["key"]) == TEXT

    async def test_a_repeated_request_makes_one_job(
        self, service: Service, publisher: Publisher, bucket: Bucket
    ) -> None:
        headers = {"Idempotency-Key": uuid4().hex}
        answers = [await send(service, publisher, TEXT, headers=headers) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert len(bucket.listed()) == 1
        assert (await send(service, publisher, b"another", headers=headers)).status_code == 422
        assert len(bucket.listed()) == 1

    async def test_files_go_with_their_job(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection, database: Database
    ) -> None:
        kept = (await send(service, publisher, TEXT)).json()["id"]
        before = bucket.listed()
        gone = (await send(service, publisher, TEXT, TEXT)).json()["id"]
        owner.execute("DELETE FROM batch_jobs WHERE id = %s", (gone,))
        removal = Removal(database, bucket.objects, HOUR)
        assert await removal.sweep() == 1
        assert bucket.listed() == before
        assert owner.execute("SELECT job_id FROM batch_uploads").fetchall() == [(UUID(kept),)]
        assert await removal.sweep() == 0


REFUSED = {
    "a file that is too large": ([TEXT, b"a" * (64 * KIB + 1)], 413),
    "files that are too large together": ([b"a" * (63 * KIB)] * 3, 413),
    "too many files": ([TEXT] * 6, 413),
    "a form that is much too large": ([b"a" * (2 * KIB * KIB)], 413),
    "an archive with more than it may have": ([TEXT, packed({str(number): b"" for number in range(400)})], 413),
    "an archive that unpacks to much": ([TEXT, packed({"a": bytes(65 * KIB)})], 413),
    "archives that unpack to much together": ([packed({"a": bytes(60 * KIB)})] * 3, 413),
    "nothing but archives that are of no use": ([packed({"a": b"1"})[:-3], link()], 422),
    "nothing that can be scored": ([b"%PDF-1.7", b"\x7fELF"], 415),
    "nothing that can be scored, and an archive": ([b"%PDF-1.7", link()], 415),
    "no file": ([], 415),
}


USELESS = {
    "a link": (link(), "a link"),
    "a name that leads elsewhere": (packed({"../a": b"1"}), "leads out of the archive"),
    "entries that overlap": (overlapping(10, 1000), "overlap each other"),
    "cut off": (packed({"a": b"1"})[:-3], "cut off"),
    "empty": (packed({}), "has no files"),
}


class TestUselessArchives:
    @pytest.mark.parametrize("name", USELESS)
    async def test_fail_alone_and_are_not_stored(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection, name: str
    ) -> None:
        archive, why = USELESS[name]
        answer = await send(service, publisher, TEXT, archive, packed({"a.txt": TEXT}))
        assert answer.status_code == 202, answer.text
        chunks = owner.execute("SELECT source FROM batch_chunks ORDER BY number").fetchall()
        items = [item for (chunk,) in chunks for item in chunk["items"]]
        assert [item["name"] for item in items] == ["0.exe", "1.exe", "a.txt"]
        code, detail = items[1]["error"]
        assert (code, why in detail) == ("bad_archive", True)
        assert len(bucket.listed()) == 2


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    async def test_nothing_is_left(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection, name: str
    ) -> None:
        contents, status = REFUSED[name]
        answer = await send(service, publisher, *contents)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (bucket.listed(), rows(owner)) == (set(), [])
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"model": "nobody-has-this"}, 404),
            ({"version": "77"}, 404),
            ({"version": "1", "alias": "production"}, 422),
            ({"params": "{"}, 422),
            ({"params": "[]"}, 422),
            ({"colour": "red"}, 422),
            ({"params": "x" * (65 * KIB)}, 413),
        ],
    )
    async def test_nor_when_a_field_is_wrong(
        self,
        service: Service,
        publisher: Publisher,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        fields: dict[str, str],
        status: int,
    ) -> None:
        answer = await send(service, publisher, TEXT, **fields)
        assert answer.status_code == status, answer.text
        assert (bucket.listed(), rows(owner)) == (set(), [])

    @pytest.mark.parametrize(
        ("content_type", "body", "status"),
        [
            ("application/json", b"{}", 415),
            ("multipart/form-data", b"", 415),
            ("multipart/form-data; boundary=x", b"", 422),
            ("multipart/form-data; boundary=x", b"--y\r\n\r\n", 422),
            ("multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n", 422),
            ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 500, 422),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhello',
                422,
            ),
            ("multipart/form-data; boundary=" + "x" * 300, b"", 422),
        ],
    )
    async def test_nor_when_it_is_no_form(
        self,
        service: Service,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        content_type: str,
        body: bytes,
        status: int,
    ) -> None:
        answer = await service.client.post("/api/v1/batch/files", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status, answer.text
        assert (bucket.listed(), rows(owner)) == (set(), [])


class TestItems:
    async def test_what_is_wrong_with_one_file_is_its_items_affair(
        self, service: Service, publisher: Publisher
    ) -> None:
        answer = await send(service, publisher, TEXT, png(30_000, 30_000), encrypted(), b"", picture("PNG")[:40])
        assert answer.status_code == 202, answer.text
        assert answer.json()["items"] == 5


class TestQuota:
    async def test_uploads_at_the_same_time_do_not_pass_it_together(
        self,
        environment: dict[str, str],
        bucket: Bucket,
        publisher: Publisher,
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, ML_BATCH_QUOTA_FILES="7") as service:
            answers = await asyncio.gather(*(send(service, publisher, TEXT, TEXT) for _ in range(20)))
        codes = [answer.status_code for answer in answers]
        assert (codes.count(202), codes.count(429)) == (3, 17)
        assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"quota_exceeded"}
        assert len(bucket.listed()) == 6
        assert rows(owner) == [(2, 2 * len(TEXT))] * 3

    @pytest.mark.parametrize(("name", "value"), [("BYTES", "20"), ("ITEMS", "2")])
    async def test_of_bytes_and_items(
        self,
        environment: dict[str, str],
        bucket: Bucket,
        publisher: Publisher,
        tmp_path: Path,
        *,
        name: str,
        value: str,
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, **{f"ML_BATCH_QUOTA_{name}": value}) as service:
            assert (await send(service, publisher, TEXT)).status_code == 202
            answer = await send(service, publisher, TEXT, TEXT)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
        assert ("are to be reviewed" in answer.json()["detail"]) == (name == "BYTES")
        assert len(bucket.listed()) == 1


BEGIN = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'


def form() -> Form:
    return Form("multipart/form-data; boundary=x")


class TestBrokenOff:
    async def test_a_client_that_goes_away_leaves_nothing(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        receiver = Receiver(database, bucket.objects, Limits(), Removal(database, bucket.objects, HOUR))
        stored = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n" + BEGIN
            stored.set()
            await asyncio.Event().wait()

        async def receive() -> None:
            async with receiver.receiving("a", form(), body()):
                raise AssertionError

        task = asyncio.create_task(receive())
        await stored.wait()
        assert len(bucket.listed()) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (bucket.listed(), rows(owner)) == (set(), [])

    async def test_nor_does_a_connection_that_breaks(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        receiver = Receiver(database, bucket.objects, Limits(), Removal(database, bucket.objects, HOUR))

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n" + BEGIN
            raise ClientDisconnect

        with pytest.raises(BadForm, match="gone away"):
            async with receiver.receiving("a", form(), body()):
                raise AssertionError
        assert (bucket.listed(), rows(owner)) == (set(), [])

    async def test_nor_does_one_that_is_taken_for_broken_off_and_goes_on(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        removal = Removal(database, bucket.objects, HOUR)
        receiver = Receiver(database, bucket.objects, Limits(), removal)

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n"
            owner.execute("UPDATE batch_uploads SET created_at = now() - interval '2 h'")
            assert await removal.sweep() == 1
            yield BEGIN + TEXT + b"\r\n--x--\r\n"

        async def receive() -> None:
            async with receiver.receiving("a", form(), body()) as received:
                assert len(bucket.listed()) == received.files == 2
                raise Conflict("it took too long")

        with pytest.raises(Conflict):
            await receive()
        assert (bucket.listed(), rows(owner)) == (set(), [])

    async def test_what_comes_behind_the_form_is_not_read_for_ever(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        receiver = Receiver(database, bucket.objects, Limits(total_size=1000), Removal(database, bucket.objects, HOUR))
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            yield BEGIN + TEXT + b"\r\n--x--\r\n"
            for _ in range(100):
                sent += 1
                yield bytes(64 * KIB)

        with pytest.raises(UploadTooLarge, match="larger than"):
            async with receiver.receiving("a", form(), body()):
                raise AssertionError
        assert sent < 20
        assert (bucket.listed(), rows(owner)) == (set(), [])

    async def test_a_process_that_dies_leaves_what_the_sweep_finds(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        dead, alive = uuid4(), uuid4()
        for upload in (dead, alive):
            async with database.transaction("a") as connection:
                await repository.begin(connection, upload, 5)
            for number in range(2):
                await bucket.objects.put(key_of(upload, number), TEXT)
        owner.execute("UPDATE batch_uploads SET created_at = now() - interval '2 h' WHERE id = %s", (dead,))
        assert await Removal(database, bucket.objects, HOUR).sweep() == 1
        assert bucket.listed() == {key_of(alive, number) for number in range(2)}
        assert owner.execute("SELECT id FROM batch_uploads").fetchall() == [(alive,)]

    async def test_the_sweeper_goes_on_until_it_is_stopped(
        self, bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        async with database.transaction("a") as connection:
            await repository.begin(connection, uuid4(), 1)
        owner.execute("UPDATE batch_uploads SET created_at = now() - interval '1 day'")
        removal = Removal(database, bucket.objects, HOUR)
        sweeping = asyncio.create_task(removal.run())

        async def is_swept() -> bool:
            return rows(owner) == []

        await eventually(is_swept)
        await asyncio.wait({sweeping}, timeout=0.1)
        assert not sweeping.done()
        removal.stop()
        await sweeping

    async def test_what_is_being_removed_gets_no_job(self, database: Database) -> None:
        upload = uuid4()
        async with database.transaction("a") as connection:
            await repository.begin(connection, upload, 5)
            assert await repository.remove(connection, upload) == 5
            assert not await repository.keep(connection, upload, uuid4(), files=1, size=1)

    async def test_s3_that_is_away_is_a_503_and_the_row_stays_for_the_sweep(
        self, environment: dict[str, str], bucket: Bucket, database: Database, owner: psycopg.Connection
    ) -> None:
        with mock.patch.dict(os.environ, environment | {"ML_S3_ENDPOINT": "http://127.0.0.1:1"}):
            away = ObjectStore(ServingSettings())
        receiver = Receiver(database, away, Limits(), Removal(database, away, HOUR))

        async def body() -> AsyncIterator[bytes]:
            yield BEGIN + TEXT + b"\r\n--x--\r\n"

        with pytest.raises(DependencyUnavailable):
            async with receiver.receiving("a", form(), body()):
                raise AssertionError
        away.close()
        assert owner.execute("SELECT removed FROM batch_uploads").fetchall() == [(True,)]
        assert await Removal(database, bucket.objects, HOUR).sweep() == 1
        assert rows(owner) == []
