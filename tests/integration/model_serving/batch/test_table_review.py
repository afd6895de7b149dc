"""Rows of tables below a threshold of confidence are reviewed, as items of other jobs are."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.integration.model_serving.batch.workers import ended, fetch, results, submit_table, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

ROWS = 2_000
REVIEWED = 1_500
"""Of these; the limit is set to it."""
UNSURE = {"a": [0.0, 0.45, 1.0, 0.9, 0.7, None, 0.2], "b": [0.0] * 7, "c": [1.5] * 7}


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path / "serving") as running:
        yield running


async def reviews(service: Service, place: str) -> dict[int, dict[str, Any]]:
    """Return what is to be reviewed of a job, by item."""
    found: dict[int, dict[str, Any]] = {}
    query: dict[str, Any] = {"job": place.rsplit("/", 1)[-1], "limit": 200}
    while True:
        page = (await service.client.get("/api/v1/reviews", params=query)).json()
        found |= {one["item"]: one for one in page["reviews"]}
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


class TestThreshold:
    async def test_rows_in_each_form_are_reviewed_as_items_are(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.classifier()
        frame = pd.DataFrame(UNSURE)
        forms = {
            "text/csv": frame.to_csv(index=False).encode(),
            "application/x-ndjson": frame.to_json(orient="records", lines=True).encode(),
            "application/vnd.apache.parquet": frame.to_parquet(index=False),
        }
        known = frame.drop(index=5)
        body = {"model": publisher.name, "version": 1, "threshold": 0.75, "inputs": known.to_dict("records")}
        async with worker(settings_env, tmp_path):
            place = (await service.client.post("/api/v1/batch", json=body)).headers["location"]
            await ended(service, place)
            expected = [(one["input"], one["output"]) for one in (await reviews(service, place)).values()]
            assert [given["a"] for given, _ in expected] == [0.7, 0.45]
            for kind, content in forms.items():
                place = await submit_table(service, publisher, content, kind, threshold="0.75")
                job = await ended(service, place)
                assert (job["state"], job["threshold"]) == ("completed", 0.75)
                found = await reviews(service, place)
                assert [number for number in found if number != 5] == [4, 1]
                assert [(found[number]["input"], found[number]["output"]) for number in (4, 1)] == expected
                assert (found[1]["state"], found[1]["confidence"]) == ("pending", pytest.approx(0.55))
                table = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
                assert table.num_rows == 7  # what is reviewed is a result all the same
        answer = await service.client.post(f"/api/v1/reviews/{found[1]['id']}/correct", json={"label": "high"})
        assert answer.status_code == 200, answer.text
        (line,) = (
            await service.client.get("/api/v1/reviews/export", params={"model": publisher.name})
        ).text.splitlines()
        assert '"a":0.45' in line

    async def test_each_of_many_is_reviewed_once_up_to_a_limit(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.classifier()
        frame = pd.DataFrame({"a": [0.5] * ROWS, "b": 0.0, "c": range(ROWS)})
        async with worker(settings_env | {"ML_BATCH_MAX_REVIEWS": str(REVIEWED)}, tmp_path):
            content = frame.to_csv(index=False).encode()
            place = await submit_table(service, publisher, content, "text/csv", threshold="0.9")
            job = await ended(service, place)
            assert (job["state"], job["succeeded"]) == ("completed", ROWS)
            table = pq.read_table(io.BytesIO(await fetch(service, place, "parquet")))
            found = await reviews(service, place)
        assert table.column("item").to_pylist() == list(range(ROWS))
        assert len(found) == REVIEWED
        assert all(one["input"]["c"] == number for number, one in found.items())

    async def test_a_model_that_does_not_say_how_sure_it_is_is_not_reviewed(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path):
            place = await submit_table(service, publisher, b"a,b,c\n1,2,3\n", "text/csv", threshold="1")
            assert (await ended(service, place))["succeeded"] == 1
            assert await reviews(service, place) == {}

    @pytest.mark.parametrize("threshold", ["0", "1.5", "high"])
    async def test_what_is_no_confidence_is_refused(
        self, service: Service, publisher: Publisher, threshold: str
    ) -> None:
        publisher.linear(2.0)
        answer = await service.client.post(
            "/api/v1/batch/table",
            content=b"a,b,c\n1,2,3\n",
            headers={"content-type": "text/csv"},
            params={"model": publisher.name, "version": "1", "threshold": threshold},
        )
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.threshold")


class TestPages:
    async def test_say_that_they_list_failed_rows_alone_and_where_the_others_are(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path):
            place = await submit_table(service, publisher, b"a,b,c\n1,2,3\nx,2,3\n", "text/csv")
            going_on = (await service.client.get(f"{place}/results")).json()
            job = await ended(service, place)
            page = (await service.client.get(f"{place}/results")).json()
            listed = await results(service, place)
            whole = await fetch(service, place, "csv")
        assert (going_on["lists"], going_on["complete"]) == ("failed", False)
        assert (job["succeeded"], job["failed"]) == (1, 1)
        assert (page["lists"], page["complete"], [one["item"] for one in listed]) == ("failed", False, [1])
        assert page["files"] == {form: f"{place}/results.{form}" for form in ("csv", "jsonl", "parquet")}
        assert len(whole.splitlines()) == 3

    async def test_are_complete_when_each_row_failed(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path):
            place = await submit_table(service, publisher, b"a,b,c\nx,2,3\n", "text/csv")
            assert (await ended(service, place))["failed"] == 1
            page = (await service.client.get(f"{place}/results")).json()
        assert (page["lists"], page["complete"], len(page["results"])) == ("failed", True, 1)
