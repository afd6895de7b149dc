"""Files over HTTP: each becomes an item, also where it cannot be scored."""

from pathlib import Path
from uuid import UUID, uuid4

import orjson
import psycopg
import pytest

from mlplatform.database import Database
from services.model_serving.batch.uploads.removal import Removal, key_of
from tests.integration.model_serving.batch.uploads.conftest import HOUR, TEXT, Bucket, rows, send
from tests.integration.model_serving.batch.workers import ended, fetch, results, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service
from tests.unit.model_serving.batch.uploads.corpus import encrypted, link, overlapping, packed, picture, png


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

    async def test_files_of_the_same_name_are_told_apart_by_their_folders(
        self,
        service: Service,
        publisher: Publisher,
        environment: dict[str, str],
        tmp_path: Path,
    ) -> None:
        files = [
            ("files", ("a/x.png", picture("PNG"))),
            ("files", ("b/x.png", picture("PNG"))),
            ("files", ("all.zip", packed({"a/x.png": picture("PNG"), "b/x.png": picture("PNG")}))),
            ("files", ("../../etc/x.png", picture("PNG"))),
        ]
        data = {"model": publisher.name, "version": "1"}
        async with worker(environment, tmp_path):
            answer = await service.client.post("/api/v1/batch/files", data=data, files=files)
            place = answer.headers["location"]
            await ended(service, place)
            found = await results(service, place)
            lines = (await fetch(service, place, "jsonl")).splitlines()
        names = ["a/x.png", "b/x.png", "a/x.png", "b/x.png", "x.png"]
        assert [one["name"] for one in found] == names
        assert [orjson.loads(line)["name"] for line in lines] == names


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


class TestItems:
    async def test_what_is_wrong_with_one_file_is_its_items_affair(
        self, service: Service, publisher: Publisher
    ) -> None:
        answer = await send(service, publisher, TEXT, png(30_000, 30_000), encrypted(), b"", picture("PNG")[:40])
        assert answer.status_code == 202, answer.text
        assert answer.json()["items"] == 5
