"""Tables from their upload to the files with their results, with a worker that is a process of its own."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.conftest import keys
from tests.integration.model_serving.batch.workers import ended, fetch, results, worker
from tests.integration.model_serving.forwarder import free_port
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import Service, eventually, serving

FRAME = frame_of(500, seed=3)


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path / "serving", ML_BATCH_MAX_TABLE_SIZE="1MB") as running:
        yield running


async def post(service: Service, content: bytes | AsyncIterator[bytes], kind: str, **query: Any) -> httpx.Response:
    return await service.client.post(
        "/api/v1/batch/table", content=content, headers={"content-type": kind}, params={"version": "1", **query}
    )


async def reported(service: Service, place: str) -> dict[str, Any]:
    """Return the report as soon as it is written."""

    async def look() -> dict[str, Any] | None:
        answer = await service.client.get(f"{place}/report")
        return answer.json() if answer.status_code == 200 else None

    return dict(await eventually(look))


async def _in_parts(content: bytes) -> AsyncIterator[bytes]:
    """Send a body without saying how long it is."""
    for start in range(0, len(content), 1 << 16):
        yield content[start : start + (1 << 16)]


class TestScores:
    async def test_a_table_in_each_form_gives_the_predictions_in_its_order(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        await eventually(lambda: service.serves(publisher.name, "1", records_of(FRAME)[:1]))
        expected = (await service.predict(publisher.name, records_of(FRAME), version=1)).json()["predictions"]
        forms = {
            "text/csv": FRAME.to_csv(index=False).encode(),
            "application/x-ndjson": FRAME.to_json(orient="records", lines=True, double_precision=15).encode(),
            "application/vnd.apache.parquet": FRAME.to_parquet(index=False, row_group_size=70),
        }
        async with worker(settings_env, tmp_path):
            for kind, content in forms.items():
                answer = await post(service, content, kind, model=publisher.name, results=["parquet", "csv", "jsonl"])
                assert answer.status_code == 202, answer.text
                place = answer.headers["location"]
                job = await ended(service, place)
                assert (job["state"], job["items"], job["succeeded"]) == ("completed", 500, 500), job
                found = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
                assert found.column_names == ["item", "prediction", "code", "error"]
                assert found.column("item").to_pylist() == list(range(500))
                assert found.column("code").null_count == 500
                np.testing.assert_allclose(found.column("prediction").to_numpy(), expected, rtol=1e-9, atol=1e-9)
                assert pd.read_csv(io.BytesIO(await fetch(service, place, "csv")))["item"].tolist() == list(range(500))
                assert (await fetch(service, place, "jsonl")).count(b"\n") == 500
                report = await reported(service, place)
                assert (report["counts"]["succeeded"], report["answers"]["answers"]) == (500, 500)
                assert report["answers"]["numbers"]["greatest"] == pytest.approx(max(expected), rel=1e-9)
                assert report["drift"]["rows"] == 500
        assert "Traceback" not in (tmp_path / "worker.log").read_text()

    async def test_rows_that_are_wrong_fail_alone_and_are_listed_and_tried_again(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        lines = FRAME.to_csv(index=False).splitlines()
        lines[1 + 100] = "1,2"
        lines[1 + 200] = "text,1,2"
        lines[1 + 300] = '"' + "x" * (1 << 16) + '",1,2'
        async with worker(settings_env, tmp_path):
            answer = await post(service, "\n".join(lines).encode(), "text/csv", model=publisher.name)
            place = answer.headers["location"]
            job = await ended(service, place)
            assert (job["state"], job["succeeded"], job["failed"]) == ("completed", 497, 3)
            found = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
            page = await results(service, place)
            assert {one["item"]: one["error"]["detail"] for one in page} == {
                100: "has 2 values; the table has 3 columns",
                200: "a: must be a number",
                300: "a: must be a number",
            }
            assert {one["error"]["code"] for one in page} == {"invalid_inputs"}
            assert (await reported(service, place))["errors"] == {"invalid_inputs": 3}
            written = [pd.read_csv(io.BytesIO(await fetch(service, place, "csv")))]
            written.append(pd.read_json(io.BytesIO(await fetch(service, place, "jsonl")), lines=True))
            assert (await service.client.post(f"{place.replace('/results', '')}/retry")).status_code == 202
            again = await ended(service, place)
            assert (again["succeeded"], again["failed"], again["retries"]) == (497, 3, 1)
        errors = found.column("error").to_pylist()
        assert [row for row, text in enumerate(errors) if text is not None] == [100, 200, 300]
        for rows in (found.to_pandas(), *written):
            failed = rows[rows["code"].notna()]
            assert failed["item"].tolist() == [100, 200, 300]
            assert failed["code"].unique().tolist() == ["invalid_inputs"]
            assert failed["error"].tolist() == [one["error"]["detail"] for one in page]
        assert found.column("prediction").null_count == 3

    async def test_an_object_of_the_tenant_is_scored_where_it_is(
        self,
        publisher: Publisher,
        settings_env: dict[str, str],
        settings: ServingSettings,
        objects: ObjectStore,
        tmp_path: Path,
    ) -> None:
        publisher.linear(2.0)
        own = settings_env | {"ML_S3_BUCKET": settings.s3_bucket}
        key = "tables/default/of/us.csv"
        await objects.put(key, FRAME.to_csv(index=False, sep=";").encode())
        async with serving(own, publisher, tmp_path / "serving") as service, worker(own, tmp_path):
            answer = await post(service, b"", "text/csv", model=publisher.name, key=key, delimiter=";")
            assert answer.status_code == 202, answer.text
            place = answer.headers["location"]
            job = await ended(service, place)
            assert (job["state"], job["items"], job["succeeded"]) == ("completed", 500, 500)
            found = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
        np.testing.assert_allclose(found.column("prediction").to_numpy(), 2.0 * FRAME["a"], rtol=1e-9, atol=1e-9)
        assert await objects.exists(key)  # it is the tenant's, and is kept whatever becomes of the job

    async def test_tables_that_come_at_the_same_time_keep_to_the_quota_of_rows(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        content, limit = FRAME.to_csv(index=False).encode(), {"ML_BATCH_QUOTA_ITEMS": "700"}
        async with serving(settings_env, publisher, tmp_path / "serving", **limit) as service:
            answers = [await post(service, content, "text/csv", model=publisher.name) for _ in range(3)]
            assert {answer.status_code for answer in answers} == {202}
            async with worker(settings_env | limit, tmp_path, ML_BATCH_PROCESSES="2"):
                jobs = [await ended(service, answer.headers["location"]) for answer in answers]
            assert sorted(job["items"] for job in jobs) == [0, 0, 500]
            assert sorted(job["state"] for job in jobs) == ["completed", "failed", "failed"]
            assert {job["error"] is None or "ML_BATCH_QUOTA_ITEMS" in job["error"] for job in jobs} == {True}
            for rows, status in ((201, 429), (200, 202)):
                body = {"model": publisher.name, "version": 1, "inputs": records_of(FRAME)[:rows]}
                assert (await service.client.post("/api/v1/batch", json=body)).status_code == status

    async def test_a_table_without_a_column_of_the_model_fails_the_job(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path):
            answer = await post(service, b"a,b\n1,2\n", "text/csv", model=publisher.name)
            job = await ended(service, answer.headers["location"])
        assert job["state"] == "failed"
        assert "lacks columns that the model takes: 'c'" in job["error"]


class TestRequests:
    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"a,b,c\n" + b"1,2,3\n" * 200_000, "text/csv", 413),
            (b"a,b,c\n1,2,3\n", "application/octet-stream", 415),
            (b"", "text/csv", 422),
            (b"a,\xff\n1,2\n", "text/csv", 422),
            (b"PAR1 no", "application/vnd.apache.parquet", 422),
        ],
    )
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_what_breaks_a_limit_is_refused_and_leaves_nothing(
        self,
        settings_env: dict[str, str],
        settings: ServingSettings,
        objects: ObjectStore,
        publisher: Publisher,
        *,
        tmp_path: Path,
        owner: psycopg.Connection,
        content: bytes,
        kind: str,
        status: int,
        is_declared: bool,
    ) -> None:
        publisher.linear(2.0)
        own = settings_env | {"ML_S3_BUCKET": settings.s3_bucket, "ML_BATCH_MAX_TABLE_SIZE": "1MB"}
        await objects.put("tables/default/kept.csv", b"a,b,c\n")
        async with serving(own, publisher, tmp_path) as service:
            sent = content if is_declared else _in_parts(content)
            answer = await post(service, sent, kind, model=publisher.name)
            assert answer.status_code == status, answer.text
            assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []
        assert keys(objects, settings) == {"tables/default/kept.csv"}
        assert owner.execute("SELECT count(*) FROM batch_uploads").fetchone() == (0,)

    async def test_an_object_of_another_tenant_is_not_there(self, service: Service, publisher: Publisher) -> None:
        publisher.linear(2.0)
        answer = await post(service, b"", "text/csv", model=publisher.name, key="tables/other/1.csv")
        assert answer.status_code == 404

    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_an_object_and_a_body_are_refused_together(
        self, service: Service, publisher: Publisher, *, is_declared: bool
    ) -> None:
        publisher.linear(2.0)
        content = b"a,b,c\n1,2,3\n"
        sent = content if is_declared else _in_parts(content)
        answer = await post(service, sent, "text/csv", model=publisher.name, key="tables/default/1.csv")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["query.key", "body"]
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []

    async def test_the_same_request_makes_one_job(self, service: Service, publisher: Publisher) -> None:
        publisher.linear(2.0)
        query = {"model": publisher.name, "version": "1"}
        headers = {"content-type": "text/csv", "idempotency-key": "once"}
        answers = [
            await service.client.post("/api/v1/batch/table", content=b"a,b,c\n1,2,3\n", headers=headers, params=query)
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["id"] == answers[1].json()["id"]
        assert len((await service.client.get("/api/v1/jobs")).json()["jobs"]) == 1

    @pytest.mark.parametrize("is_stored", [True, False])
    async def test_a_repeated_one_gets_its_answer_while_mlflow_is_down(
        self,
        settings_env: dict[str, str],
        settings: ServingSettings,
        objects: ObjectStore,
        publisher: Publisher,
        *,
        tmp_path: Path,
        is_stored: bool,
    ) -> None:
        publisher.linear(2.0)
        content, query = b"a,b,c\n1,2,3\n", {"model": publisher.name, "version": "1"}
        if is_stored:
            await objects.put("tables/default/1.csv", content)
            content, query = b"", query | {"key": "tables/default/1.csv"}
        own = settings_env | {"ML_S3_BUCKET": settings.s3_bucket}
        away = {"ML_MLFLOW_URL": f"http://127.0.0.1:{free_port()}"}

        async def send(service: Service, key: str) -> httpx.Response:
            headers = {"content-type": "text/csv", "idempotency-key": key}
            return await service.client.post("/api/v1/batch/table", content=content, headers=headers, params=query)

        async with serving(own, publisher, tmp_path / "before") as service:
            first = await send(service, "once")
        async with serving(own | away, publisher, tmp_path / "after") as service:
            again, other = await send(service, "once"), await send(service, "another")
        assert [answer.status_code for answer in (first, again, other)] == [202, 202, 503]
        assert again.json() == first.json()


class TestDeaths:
    async def test_rows_of_a_worker_that_is_killed_are_there_once(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        rows = 150_000
        table = pd.DataFrame({"a": np.arange(rows, dtype=float), "b": 1.0, "c": 2.0})
        async with serving(settings_env, publisher, tmp_path / "serving") as service:
            answer = await post(service, table.to_csv(index=False).encode(), "text/csv", model=publisher.name)
            place = answer.headers["location"]

            async def scored() -> bool:
                return bool((await service.client.get(place)).json()["succeeded"])

            async with worker(settings_env, tmp_path, ML_BATCH_LEASE="1s") as (_, process):
                await eventually(scored)
                process.kill()
                await process.wait()
            async with worker(settings_env, tmp_path, ML_BATCH_LEASE="1s"):
                job = await ended(service, place)
                assert (job["state"], job["items"], job["succeeded"]) == ("completed", rows, rows)
                found = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
        assert found.column("item").to_pylist() == list(range(rows))
        np.testing.assert_allclose(found.column("prediction").to_numpy(), 2.0 * table["a"], rtol=1e-9, atol=1e-6)
