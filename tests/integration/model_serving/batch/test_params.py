"""Parameters of jobs: what a model does not declare is refused at once, and not by each item."""

from pathlib import Path

import httpx
import orjson
import psycopg
import pytest

from mlplatform.objects import ObjectStore
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.conftest import keys
from tests.integration.model_serving.batch.workers import ended, fetch, results, worker
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually

ROW = {"a": 0.25, "b": 0.0, "c": 0.0}
CSV = b"a,b,c\n0.25,0,0\n"


async def submit(service: Service, publisher: Publisher, way: str, params: dict[str, object]) -> httpx.Response:
    """Submit the same row, or a file, in one of the ways there are."""
    named = {"model": publisher.name, "version": "1"}
    text = orjson.dumps(params).decode()
    if way == "inputs":
        return await service.client.post("/api/v1/batch", json={**named, "inputs": [ROW], "params": params})
    if way == "files":
        files = [("files", ("a.txt", b"good morning"))]
        return await service.client.post("/api/v1/batch/files", data={**named, "params": text}, files=files)
    headers = {"Content-Type": "text/csv"}
    return await service.client.post(
        "/api/v1/batch/table", content=CSV, headers=headers, params={**named, "params": text}
    )


WAYS = {"inputs": "body.params", "files": "body.params", "table": "query.params"}


class TestRefused:
    @pytest.mark.parametrize("way", WAYS)
    async def test_those_that_are_not_declared_are_named_with_those_that_are(
        self,
        service: Service,
        publisher: Publisher,
        settings: ServingSettings,
        objects: ObjectStore,
        *,
        owner: psycopg.Connection,
        way: str,
    ) -> None:
        publisher.classifier()
        answer = await submit(service, publisher, way, {"scale": 1.0, "slope": 2, "colour": "red"})
        assert answer.status_code == 422, answer.text
        message = "is not declared by the model; it declares scale"
        assert answer.json()["errors"] == [
            {"field": f"{WAYS[way]}.colour", "message": message},
            {"field": f"{WAYS[way]}.slope", "message": message},
        ]
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []
        assert keys(objects, settings) == set()
        assert owner.execute("SELECT count(*) FROM batch_uploads").fetchone() == (0,)

    @pytest.mark.parametrize("way", WAYS)
    async def test_so_are_those_of_another_type(self, service: Service, publisher: Publisher, way: str) -> None:
        publisher.classifier()
        answer = await submit(service, publisher, way, {"scale": "much"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"] == [{"field": f"{WAYS[way]}.scale", "message": "must be a double"}]

    async def test_a_model_in_memory_says_the_same(self, service: Service, publisher: Publisher) -> None:
        publisher.promote(publisher.classifier())
        await eventually(lambda: service.serves(publisher.name, "1", [ROW]))
        for way, field in WAYS.items():
            answer = await submit(service, publisher, way, {"slope": 2})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"{field}.slope")

    async def test_what_is_no_object_is_refused(self, service: Service, publisher: Publisher) -> None:
        publisher.classifier()
        for text in ("{", "[1]", "1"):
            answer = await service.client.post(
                "/api/v1/batch/table",
                content=CSV,
                headers={"Content-Type": "text/csv"},
                params={"model": publisher.name, "version": "1", "params": text},
            )
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.params")


class TestTaken:
    async def test_declared_ones_reach_the_model(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.classifier()
        async with worker(environment, tmp_path):
            for way in ("inputs", "table"):
                answer = await submit(service, publisher, way, {"scale": 4.0})
                assert answer.status_code == 202, answer.text
                place = answer.headers["location"]
                job = await ended(service, place)
                assert (job["state"], job["succeeded"]) == ("completed", 1), await results(service, place)
                assert b"high" in await fetch(service, place, "jsonl")
