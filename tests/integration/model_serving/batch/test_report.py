"""What a job came to, as its worker writes it down."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import orjson
import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable, NotFound
from mlplatform.idempotency import RepeatableRequest
from mlplatform.monitoring.profile import make_profile
from mlplatform.monitoring.storage import attach_profile
from services.model_serving.batch.exports import repository as exports
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.report.report import report
from services.model_serving.batch.report.reports import Reports
from services.model_serving.batch.scoring.assignment import Assignment, Finished, ItemResult, Unreadable
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.scoring.tasks import find_task
from services.model_serving.batch.work.chunk import Chunk
from services.model_serving.batch.work.claims import Claims
from services.model_serving.batch.work.slot import assign
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.orders import MODEL, Silence, caller
from tests.integration.model_serving.batch.workers import ended, report_of, submit, submit_table, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import serving

INPUTS = [{"answer": answer} for answer in [{"label": "cat", "confidence": 0.95}] * 3]
INPUTS += [{"answer": {"label": "<b>dog</b>", "confidence": 0.31}}, {"answer": 2.5}, {}]


@pytest.fixture
def bench(settings_env: dict[str, str], tmp_path: Path) -> Bench:
    with mock.patch.dict(os.environ, settings_env | {"ML_SERVING_CACHE": str(tmp_path)}):
        settings = ServingSettings()
    return Bench(SimpleNamespace, lambda: None, settings)


def answered(chunk: Chunk) -> list[ItemResult]:
    return [
        ItemResult(number, "succeeded", orjson.dumps(item["answer"]).decode(), None)
        if "answer" in item
        else ItemResult(number, "failed", None, '{"code": "invalid_inputs", "detail": "\\u0000", "errors": []}')
        for number, item in zip(chunk.items, orjson.loads(chunk.input or b""), strict=True)
    ]


async def reported(database: Database, bench: Bench, inputs: Sequence[Any] = INPUTS) -> tuple[Job, Assignment]:
    """Return a job that was scored, and whose report was written, with what wrote it."""
    jobs = Jobs(database, Silence(), AuditLog(database), most_items=1000, chunk_items=4)
    once = RepeatableRequest("POST /api/v1/batch", None, b"")
    job = await jobs.submit(caller("acme"), Order(MODEL, inputs, report=True), once, "request")
    assert isinstance(job, Job)
    claims = Claims(database, "tests", timedelta(hours=1))
    while (taken := await claims.take()) is not None:
        chunk, current = taken
        if chunk.kind == "finish":
            assignment = assign(chunk, current)
            made = find_task(assignment)(assignment, bench)
            assert isinstance(made, Finished)
            summary = orjson.loads(orjson.dumps(made.summary))
            assert await claims.finish(chunk.claim, current, summary)
            return job, assignment
        await claims.commit(chunk, current, answered(chunk))
    raise AssertionError("no report was asked for")


class TestReport:
    async def test_its_numbers_are_those_of_the_results(self, database: Database, bench: Bench) -> None:
        job, _ = await reported(database, bench)
        found = await Reports(database).find("acme", job.id)
        assert (found.model, found.version, found.state) == ("model", "1", "completed")
        counts = found.counts
        assert (counts.items, counts.succeeded, counts.failed, counts.cancelled) == (6, 5, 1, 0)
        assert found.errors == {"invalid_inputs": 1}
        assert found.answers.answers == 5
        assert found.answers.classes == {"cat": 3, "<b>dog</b>": 1}
        assert found.answers.confidence == [0, 0, 0, 1, 0, 0, 0, 0, 0, 3]
        assert found.answers.numbers is not None
        assert (found.answers.numbers.least, found.answers.numbers.counts) == (2.5, [1])
        assert found.drift.status == "no_reference"
        assert found.times.run_seconds is not None

    async def test_percentiles_of_the_times_of_chunks_and_items(
        self, database: Database, bench: Bench, owner: psycopg.Connection
    ) -> None:
        job, assignment = await reported(database, bench)
        times = (await Reports(database).find("acme", job.id)).times
        assert 0 < times.item_seconds.p50 <= times.item_seconds.p95 <= times.chunk_seconds.p95
        owner.execute("UPDATE batch_chunks SET seconds = 8 / item_count WHERE kind = 'score'")  # 4 items, and 2
        times = report(assignment, bench).summary["report"]["times"]
        assert times["chunk_seconds"] == {"p50": 2, "p95": 4}
        assert times["item_seconds"] == {"p50": 0.5, "p95": 2}

    async def test_any_text_may_be_an_answer(self, database: Database, bench: Bench) -> None:
        job, _ = await reported(database, bench, [{"answer": "a\0b"}, {}])
        found = await Reports(database).find("acme", job.id)
        assert found.answers.classes == {"a\0b": 1}
        async with database.transaction("acme") as connection:
            assert await exports.files(connection, job.id) == {}

    async def test_not_while_the_job_goes_on_again(
        self, database: Database, bench: Bench, owner: psycopg.Connection
    ) -> None:
        job, _ = await reported(database, bench)
        owner.execute("UPDATE batch_jobs SET state = 'queued', finished_at = NULL")
        with pytest.raises(NotFound, match="no report"):
            await Reports(database).find("acme", job.id)

    async def test_for_its_tenant_only(self, database: Database, bench: Bench) -> None:
        job, assignment = await reported(database, bench)
        with pytest.raises(NotFound, match="no such job"):
            await Reports(database).find("other", job.id)
        assert isinstance(report(replace(assignment, tenant="other"), bench), Unreadable)

    async def test_a_worker_without_postgres_tries_again(
        self, database: Database, bench: Bench, settings_env: dict[str, str]
    ) -> None:
        _, assignment = await reported(database, bench)
        away = {"ML_DATABASE_URL": "postgresql://ml_app:secret@127.0.0.1:1/platform"}
        with mock.patch.dict(os.environ, settings_env | away):
            settings = ServingSettings()
        with pytest.raises(DependencyUnavailable):
            report(assignment, replace(bench, settings=settings))


class TestService:
    async def test_drift_against_training_as_json_and_as_a_page(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        version = publisher.linear(2.0)
        trained = [{"a": number / 100, "b": 1.0 - number / 100, "c": 0.5} for number in range(100)] * 5
        attach_profile(publisher.registry, version, make_profile(trained))
        rows = [{"a": 10.0 + number / 100, "b": 0.5 - number % 7 / 100, "c": 0.5} for number in range(300)]
        async with serving(settings_env, publisher, tmp_path) as service, worker(settings_env, tmp_path):
            place = await submit(service, publisher, rows, version=1)
            job = await ended(service, place)
            found = await report_of(service, place)
            assert UUID(found["job"]) == UUID(job["id"])
            assert (found["counts"]["items"], found["counts"]["succeeded"]) == (300, job["succeeded"])
            assert (found["drift"]["status"], found["drift"]["rows"], found["drift"]["alarm"]) == (
                "compared",
                300,
                True,
            )
            levels = {column["name"]: column["level"] for column in found["drift"]["columns"]}
            assert levels["a"] == "major"
            assert levels["c"] == "none"
            page = await service.client.get(f"{place}/report.html")
            assert page.headers["content-type"].startswith("text/html")
            assert "<svg" in page.text
            assert publisher.name in page.text
            refused = await submit(service, publisher, rows[:1], version=1, report=False)
            await ended(service, refused)
            assert (await service.client.get(f"{refused}/report")).status_code == 404

    async def test_objects_that_a_table_was_answered_count_by_their_label(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.classifier()
        publisher.counter()
        texts = b"text\n" + b"".join(b"word " * number + b"\n" for number in range(1, 71))
        tables = {"1": b"a,b,c\n0.1,0,0\n0.9,0,0\n0.95,0,0\n", "2": texts}
        async with serving(settings_env, publisher, tmp_path) as service, worker(settings_env, tmp_path):
            found = []
            for version, table in tables.items():
                place = await submit_table(service, publisher, table, version=version)
                assert (await ended(service, place))["state"] == "completed"
                found.append((await report_of(service, place))["answers"])
        labelled, others = found
        assert (labelled["classes"], labelled["uncounted"]) == ({"high": 2, "low": 1}, 0)
        assert labelled["confidence"] == [0] * 9 + [3]
        assert (others["answers"], others["classes"], others["other_classes"], others["uncounted"]) == (70, {}, 0, 70)
