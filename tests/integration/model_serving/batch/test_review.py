"""Results that are not sure enough are reviewed, and what comes of that."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.errors import NotFound
from mlplatform.idempotency import RepeatableRequest
from mlplatform.objects import ObjectStore
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.review.errors import AlreadyDecided
from services.model_serving.batch.review.repository import Choice
from services.model_serving.batch.review.reviews import Reviews
from services.model_serving.batch.scoring.assignment import ItemResult
from services.model_serving.batch.uploads.removal import Removal
from services.model_serving.batch.work.chunk import Chunk
from services.model_serving.batch.work.claims import Claims, TwiceError
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import MODEL, Silence, caller
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving
from tests.unit.model_serving.batch.uploads.corpus import packed

UNSURE, SURE = {"text": "Is it?\u0000", "confidence": 0.4}, {"text": "It is.", "confidence": 0.9}


def reviews_of(database: Database, objects: ObjectStore | None = None) -> Reviews:
    return Reviews(database, AuditLog(database), objects)


def judged(chunk: Chunk) -> list[ItemResult]:
    """Score a chunk: each item says how sure the model is of it; one that says nothing fails."""
    return [
        ItemResult(number, "succeeded", orjson.dumps({"label": "cat", "confidence": item["confidence"]}).decode(), None)
        if "confidence" in item
        else ItemResult(number, "failed", None, '{"code": "invalid_inputs", "detail": "", "errors": []}')
        for number, item in zip(chunk.items, orjson.loads(chunk.input or b""), strict=True)
    ]


async def finished(
    database: Database, inputs: Sequence[Any], *, threshold: float | None = 0.8, tenant: str = "acme"
) -> Job:
    """Return a job that was scored."""
    jobs = Jobs(database, Silence(), AuditLog(database), most_items=1000, chunk_items=4)
    once = RepeatableRequest("POST /api/v1/batch", None, b"")
    job = await jobs.submit(caller(tenant), Order(MODEL, inputs, review_below=threshold), once, "request")
    assert isinstance(job, Job)
    await score(database)
    return job


async def score(database: Database) -> None:
    claims = Claims(database, "tests", timedelta(hours=1))
    while (taken := await claims.take()) is not None:
        chunk, job = taken
        if chunk.kind == "finish":
            assert await claims.finish(chunk.claim, job, None)
        else:
            assert await claims.commit(chunk, job, judged(chunk)) is not None


async def pending(database: Database, tenant: str = "acme") -> list[dict[str, Any]]:
    rows, _ = await reviews_of(database).page(tenant, Choice(state="pending"), limit=100, cursor=None)
    return rows


async def exported(database: Database, who: Principal) -> list[dict[str, Any]]:
    lines = await reviews_of(database).export(who, Choice(model="model"), "/{}".format)
    return [orjson.loads(line) async for line in lines]


class TestQueue:
    async def test_results_below_the_threshold_with_their_inputs(self, database: Database) -> None:
        job = await finished(database, [SURE, UNSURE, SURE, {}, UNSURE, SURE])
        rows = await pending(database)
        assert [(row["job_id"], row["item"], row["confidence"]) for row in rows] == [(job.id, 4, 0.4), (job.id, 1, 0.4)]
        assert {row["model"] + row["version"] for row in rows} == {"model1"}
        assert [orjson.loads(row["input"]) for row in rows] == [UNSURE, UNSURE]
        assert orjson.loads(rows[0]["output"]) == {"label": "cat", "confidence": 0.4}

    async def test_a_result_at_the_threshold_is_sure_enough(self, database: Database) -> None:
        await finished(database, [{"confidence": 0.8}])
        assert await pending(database) == []

    async def test_not_unless_the_job_asks_for_it(self, database: Database) -> None:
        await finished(database, [UNSURE], threshold=None)
        assert await pending(database) == []

    async def test_all_or_nothing_with_the_results(self, database: Database, owner: psycopg.Connection) -> None:
        jobs = Jobs(database, Silence(), AuditLog(database), most_items=1000, chunk_items=4)
        once = RepeatableRequest("POST /api/v1/batch", None, b"")
        await jobs.submit(caller("acme"), Order(MODEL, [UNSURE] * 2, review_below=0.8), once, "request")
        claims = Claims(database, "tests", timedelta(hours=1))
        taken = await claims.take()
        assert taken is not None
        results = judged(taken[0])
        with pytest.raises(TwiceError):
            await claims.commit(*taken, [*results, results[0]])
        assert await pending(database) == []
        owner.execute("UPDATE batch_chunks SET claim = claim + 1")
        assert await claims.commit(*taken, results) is None
        assert await pending(database) == []

    async def test_items_of_a_retry_have_the_inputs_that_are_theirs(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        inputs = [{"confidence": number / 10, "at": number} for number in range(6)]
        job = await finished(database, inputs, threshold=None)
        owner.execute("UPDATE batch_results SET state = 'failed', output = NULL, error = '{}' WHERE item IN (1, 4)")
        owner.execute("UPDATE batch_jobs SET succeeded = 4, failed = 2, review_below = 0.8")
        jobs = Jobs(database, Silence(), AuditLog(database), most_items=1000, chunk_items=4)
        await jobs.retry(caller("acme"), job.id)
        await score(database)
        assert [(row["item"], orjson.loads(row["input"])["at"]) for row in await pending(database)] == [(4, 4), (1, 1)]

    async def test_items_of_a_chunk_that_took_several_turns_have_the_inputs_that_are_theirs(
        self, database: Database
    ) -> None:
        jobs = Jobs(database, Silence(), AuditLog(database), most_items=1000, chunk_items=4)
        once = RepeatableRequest("POST /api/v1/batch", None, b"")
        inputs = [{"confidence": 0.4, "at": number} for number in range(7)]
        await jobs.submit(caller("acme"), Order(MODEL, inputs, review_below=0.8), once, "request")
        claims = Claims(database, "tests", timedelta(hours=1))
        while (taken := await claims.take()) is not None:
            chunk, job = taken
            assert await claims.commit(chunk, job, judged(chunk)[:2], max(0, len(chunk.items) - 2)) is not None
        rows = await pending(database)
        assert sorted((row["item"], orjson.loads(row["input"])["at"]) for row in rows) == [(n, n) for n in range(7)]

    async def test_reviews_outlive_the_job(self, database: Database, owner: psycopg.Connection) -> None:
        await finished(database, [UNSURE])
        owner.execute("DELETE FROM batch_jobs")
        assert len(await pending(database)) == 1


class TestDecide:
    async def test_a_decision_stands(self, database: Database, owner: psycopg.Connection) -> None:
        await finished(database, [UNSURE])
        reviews, who = reviews_of(database), caller("acme")
        (row,) = await pending(database)
        decided = await reviews.decide(who, row["id"], "corrected", label="dog", note="it barks")
        assert (decided["state"], decided["label"], decided["note"]) == ("corrected", '"dog"', "it barks")
        assert decided["reviewer"] == who.subject
        again = await reviews.decide(who, row["id"], "corrected", label="dog")
        assert again["decided_at"] == decided["decided_at"]
        with pytest.raises(AlreadyDecided):
            await reviews.decide(who, row["id"], "corrected", label="cow")
        with pytest.raises(AlreadyDecided):
            await reviews.decide(who, row["id"], "approved")
        audited = owner.execute("SELECT count(*) FROM audit_events WHERE action = 'review.corrected'").fetchone()
        assert audited == (1,)

    async def test_of_two_at_once_one_decides(self, database: Database) -> None:
        await finished(database, [UNSURE])
        reviews = reviews_of(database)
        (row,) = await pending(database)
        done = await asyncio.gather(
            reviews.decide(caller("acme"), row["id"], "approved"),
            reviews.decide(caller("acme"), row["id"], "rejected"),
            return_exceptions=True,
        )
        assert sum(isinstance(one, AlreadyDecided) for one in done) == 1

    async def test_not_for_another_tenant(self, database: Database) -> None:
        await finished(database, [UNSURE])
        (row,) = await pending(database)
        assert await pending(database, "other") == []
        with pytest.raises(NotFound):
            await reviews_of(database).decide(caller("other"), row["id"], "approved")
        assert await reviews_of(database).decide_all(caller("other"), Choice(model="model"), "approved") == 0

    async def test_many_by_their_confidence(self, database: Database) -> None:
        await finished(database, [{"confidence": number / 10} for number in range(8)])
        reviews, who = reviews_of(database), caller("acme")
        assert await reviews.decide_all(who, Choice(model="model", least=0.5), "approved") == 3
        assert await reviews.decide_all(who, Choice(model="model", most=0.1), "rejected") == 2
        assert await reviews.decide_all(who, Choice(model="another"), "rejected") == 0
        assert sorted(row["confidence"] for row in await pending(database)) == [0.2, 0.3, 0.4]


class TestLearned:
    async def decided(self, database: Database) -> tuple[Job, Principal]:
        job, who = await finished(database, [UNSURE] * 5), caller("acme")
        reviews = reviews_of(database)
        one, two, three, four, _ = sorted(await pending(database), key=lambda row: row["item"])
        await reviews.decide(who, one["id"], "approved")
        await reviews.decide(who, two["id"], "approved")
        await reviews.decide(who, three["id"], "corrected", label="dog")
        await reviews.decide(who, four["id"], "rejected")
        return job, who

    async def test_accuracy_is_that_of_the_decided_ones(self, database: Database) -> None:
        await self.decided(database)
        (day,) = await reviews_of(database).accuracy("acme", "model", timedelta(days=2))
        assert (day["version"], day["approved"], day["corrected"], day["rejected"]) == ("1", 2, 1, 1)
        assert day["accuracy"] == pytest.approx(2 / 3)
        assert day["low"] == pytest.approx(0.2077, abs=1e-4)
        assert day["high"] == pytest.approx(0.9385, abs=1e-4)
        assert await reviews_of(database).accuracy("other", "model", timedelta(days=2)) == []

    async def test_examples_say_where_they_come_from(self, database: Database) -> None:
        job, who = await self.decided(database)
        examples = await exported(database, who)
        assert [(one["label"], one["lineage"]["decision"]) for one in examples] == [
            ("cat", "approved"),
            ("cat", "approved"),
            ("dog", "corrected"),
        ]
        assert all((one["input"], one["file"]) == (UNSURE, None) for one in examples)
        lineage = examples[2]["lineage"]
        assert (lineage["job"], lineage["item"], lineage["version"]) == (str(job.id), 2, "1")
        assert lineage["output"] == {"label": "cat", "confidence": 0.4}
        assert lineage["reviewer"] == who.subject


@pytest.mark.usefixtures("objects")
class TestFile:
    @pytest.fixture
    async def service(
        self,
        settings_env: dict[str, str],
        settings: ServingSettings,
        publisher: Publisher,
        tmp_path: Path,
    ) -> AsyncIterator[Service]:
        publisher.linear(2.0)
        async with serving(settings_env, publisher, tmp_path, ML_S3_BUCKET=settings.s3_bucket) as running:
            yield running

    @staticmethod
    async def uploaded(service: Service, publisher: Publisher, database: Database, *texts: bytes) -> list[dict]:
        """Return the reviews of files of which the model was not sure, the last one first."""
        files = [("files", (f"{number}.txt", text)) for number, text in enumerate(texts)]
        data = {"model": publisher.name, "version": "1", "threshold": "0.8", "report": "false"}
        answer = await service.client.post("/api/v1/batch/files", data=data, files=files)
        assert answer.status_code == 202, answer.text
        claims = Claims(database, "tests", timedelta(hours=1))
        chunk, job = await claims.take()
        unsure = '{"label": "cat", "confidence": 0.4}'
        await claims.commit(chunk, job, [ItemResult(item, "succeeded", unsure, None) for item in chunk.items])
        page = await service.client.get("/api/v1/reviews", params={"job": answer.json()["id"]})
        return list(page.json()["reviews"])

    async def fetch(self, service: Service, review: dict[str, Any]) -> bytes | None:
        """Return the file of a review; None when there is none."""
        return await self.follow(service, f"/api/v1/reviews/{review['id']}/file")

    @staticmethod
    async def follow(service: Service, path: str) -> bytes | None:
        answer = await service.client.get(path)
        if answer.status_code == 404:
            return None
        assert answer.status_code == 307, answer.text
        async with httpx.AsyncClient() as client:
            return (await client.get(answer.headers["location"])).raise_for_status().content

    async def test_a_reviewer_sees_what_was_uploaded(
        self, service: Service, publisher: Publisher, database: Database, objects: ObjectStore
    ) -> None:
        second, first = await self.uploaded(service, publisher, database, b"Is it?", b"Or not?")
        assert first["input"]["name"] == "0.txt"
        assert [await self.fetch(service, one) for one in (first, second)] == [b"Is it?", b"Or not?"]
        with pytest.raises(NotFound, match="no such review"):
            await reviews_of(database, objects).file("other", UUID(first["id"]))

    async def test_it_is_kept_until_the_last_decision_though_the_job_is_gone(
        self,
        service: Service,
        publisher: Publisher,
        database: Database,
        objects: ObjectStore,
        owner: psycopg.Connection,
    ) -> None:
        second, first = await self.uploaded(service, publisher, database, b"Is it?", b"Or not?")
        owner.execute("DELETE FROM batch_jobs")
        removal = Removal(database, objects, timedelta(hours=1))
        ((upload,),) = owner.execute("SELECT id FROM batch_uploads").fetchall()
        for review, left in ((first, 0), (second, 1)):
            assert await removal.sweep() == 0
            assert not await removal.remove("default", upload)
            assert await self.fetch(service, second) == b"Or not?"
            await service.client.post(f"/api/v1/reviews/{review['id']}/approve")
            assert await removal.sweep() == left
        assert await self.fetch(service, second) is None

    async def test_who_trains_with_the_export_fetches_each_file_by_its_line(
        self,
        service: Service,
        publisher: Publisher,
        database: Database,
        objects: ObjectStore,
        owner: psycopg.Connection,
    ) -> None:
        archive = packed({"litter/": b"", "a/one.txt": b"Packed?", "two.txt": b"Packed, too?"})
        found = await self.uploaded(service, publisher, database, b"Is it?", archive)
        for review, label in zip(found, ("cow", "dog", "cat"), strict=True):
            await service.client.post(f"/api/v1/reviews/{review['id']}/correct", json={"label": label})
        query = {"model": publisher.name}
        export = (await service.client.get("/api/v1/reviews/export", params=query)).text.splitlines()
        contents = {}
        for line in map(orjson.loads, export):
            content = await self.follow(service, line["file"]["path"])
            assert content is not None
            if line["file"]["member"] is not None:
                with zipfile.ZipFile(io.BytesIO(content)) as opened:
                    assert opened.infolist()[line["file"]["place"]].filename == line["file"]["member"]
                    content = opened.read(line["file"]["member"])
            contents[line["label"]] = content
        assert contents == {"cat": b"Is it?", "dog": b"Packed?", "cow": b"Packed, too?"}
        owner.execute("DELETE FROM batch_jobs")
        assert await Removal(database, objects, timedelta(hours=1)).sweep() == 1
        export = (await service.client.get("/api/v1/reviews/export", params=query)).text.splitlines()
        assert [orjson.loads(line)["file"] for line in export] == [None] * 3

    @pytest.mark.parametrize("tenant", ["default", "other"])
    async def test_a_key_that_a_caller_made_up_leads_nowhere(
        self,
        service: Service,
        publisher: Publisher,
        database: Database,
        objects: ObjectStore,
        tenant: str,
    ) -> None:
        (real,) = await self.uploaded(service, publisher, database, b"mine")
        key = real["input"]["key"]
        for made_up in (key, "tables/default/a.csv", f"{key}/../0", 7, None):
            await finished(database, [{"key": made_up, "confidence": 0.4}], tenant=tenant)
        rows = [row for row in await pending(database, tenant) if str(row["id"]) != real["id"]]
        assert len(rows) == 5
        for row in rows:
            with pytest.raises(NotFound, match="about no file"):
                await reviews_of(database, objects).file(tenant, row["id"])
        assert await reviews_of(database).decide_all(caller(tenant), Choice(model="model"), "approved") == 5
        assert [one["file"] for one in await exported(database, caller(tenant))] == [None] * 5
        assert await self.fetch(service, real) == b"mine"


class TestService:
    @pytest.fixture
    async def service(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> AsyncIterator[Service]:
        publisher.linear(2.0)
        async with serving(settings_env, publisher, tmp_path) as running:
            yield running

    async def test_from_the_list_to_the_export(
        self, service: Service, publisher: Publisher, database: Database
    ) -> None:
        body = {"model": publisher.name, "version": 1, "inputs": [UNSURE, SURE, UNSURE], "threshold": 0.8}
        submitted = await service.client.post("/api/v1/batch", json=body)
        assert submitted.json()["threshold"] == 0.8
        await score(database)
        page = (await service.client.get("/api/v1/reviews", params={"state": "pending", "limit": 1})).json()
        (first,) = page["reviews"]
        assert (first["job"], first["item"], first["input"]) == (submitted.json()["id"], 2, UNSURE)
        further = await service.client.get("/api/v1/reviews", params={"limit": 1, "cursor": page["next_cursor"]})
        (second,) = further.json()["reviews"]
        assert further.json()["next_cursor"] is None
        place = f"/api/v1/reviews/{first['id']}"
        corrected = await service.client.post(f"{place}/correct", json={"label": "dog"})
        assert (corrected.status_code, corrected.json()["label"]) == (200, "dog")
        assert (await service.client.post(f"{place}/approve")).status_code == 409
        approved = await service.client.post(f"/api/v1/reviews/{second['id']}/approve", json={"note": "so it is"})
        assert (approved.status_code, approved.json()["note"]) == (200, "so it is")
        assert (await service.client.get(place)).json()["state"] == "corrected"
        accuracy = await service.client.get("/api/v1/reviews/accuracy", params={"model": publisher.name})
        assert accuracy.json()["days"][0]["accuracy"] == 0.5
        export = await service.client.get("/api/v1/reviews/export", params={"model": publisher.name})
        assert export.headers["content-type"].startswith("application/x-ndjson")
        assert [orjson.loads(line)["label"] for line in export.text.splitlines()] == ["cat", "dog"]

    @pytest.mark.parametrize("label", [rb'"\ud800"', rb'{"a": ["\udc00"]}', b"NaN", b"1e999", rb'{"\ud800": 1}'])
    async def test_a_label_that_is_no_json_spoils_no_list(
        self, service: Service, publisher: Publisher, database: Database, label: bytes
    ) -> None:
        body = {"model": publisher.name, "version": 1, "inputs": [UNSURE], "threshold": 0.8}
        await service.client.post("/api/v1/batch", json=body)
        await score(database)
        (review,) = (await service.client.get("/api/v1/reviews")).json()["reviews"]
        headers = {"Content-Type": "application/json"}
        place = f"/api/v1/reviews/{review['id']}"
        answer = await service.client.post(f"{place}/correct", content=b'{"label": ' + label + b"}", headers=headers)
        assert answer.status_code == 400, answer.text
        (review,) = (await service.client.get("/api/v1/reviews")).json()["reviews"]
        assert review["state"] == "pending"

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("bulk", {"decision": "corrected", "model": "m"}, 422),
            ("bulk", {"decision": "approved"}, 422),
            ("bulk", {"decision": "approved", "model": "m", "min_confidence": 2}, 422),
            ("bulk", {"decision": "approved", "model": "m", "max_confidence": False}, 422),
            ("00000000-0000-4000-8000-000000000000/approve", None, 404),
            ("00000000-0000-4000-8000-000000000000/correct", {"label": None}, 422),
            ("00000000-0000-4000-8000-000000000000/correct", {}, 422),
            ("1/approve", None, 422),
        ],
    )
    async def test_what_is_refused(self, service: Service, path: str, body: Any, status: int) -> None:
        answer = await service.client.post(f"/api/v1/reviews/{path}", json=body)
        assert answer.status_code == status, answer.text

    async def test_many_are_not_read(self, service: Service) -> None:
        answer = await service.client.get("/api/v1/reviews/bulk")
        assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")
