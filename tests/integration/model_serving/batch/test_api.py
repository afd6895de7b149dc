"""Jobs over HTTP, where no worker runs."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest import mock
from uuid import uuid4

import orjson
import psycopg
import pytest

from mlplatform.auth import Role, mint_token
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

ROW = {"a": 1.0, "b": 2.0, "c": 3.0}


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    publisher.linear(2.0)
    async with serving(settings_env, publisher, tmp_path, ML_BATCH_MAX_ITEMS="10", ML_BATCH_CHUNK_ITEMS="4") as running:
        yield running


async def submitted(service: Service, publisher: Publisher, **fields) -> dict:
    body = {"model": publisher.name, "version": 1, "inputs": [ROW] * 6, **fields}
    answer = await service.client.post("/api/v1/batch", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    return answer.json()


class TestSubmit:
    async def test_the_job_is_where_the_answer_says(
        self, service: Service, publisher: Publisher, owner: psycopg.Connection
    ) -> None:
        job = await submitted(service, publisher)
        assert (job["state"], job["items"], job["model"], job["version"]) == ("queued", 6, publisher.name, "1")
        assert job["digest"] == publisher.registry.get_version(publisher.name, "1").digest
        assert (await service.client.get(f"/api/v1/jobs/{job['id']}")).json() == job
        sizes = [row[0] for row in owner.execute("SELECT item_count FROM batch_chunks ORDER BY number")]
        assert sizes == [4, 2]
        audited = owner.execute("SELECT action, resource FROM audit_events").fetchall()
        assert ("batch.submitted", f"job {job['id']}") in audited

    async def test_an_alias_is_resolved_once(self, service: Service, publisher: Publisher) -> None:
        publisher.registry.set_alias(publisher.name, "candidate", "1")
        job = await submitted(service, publisher, version=None, alias="candidate")
        publisher.registry.set_alias(publisher.name, "candidate", publisher.linear(3.0).version)
        found = (await service.client.get(f"/api/v1/jobs/{job['id']}")).json()
        assert (found["alias"], found["version"]) == ("candidate", "1")

    async def test_a_tenant_may_not_keep_more_items_than_its_quota(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with serving(settings_env, publisher, tmp_path, ML_BATCH_QUOTA_ITEMS="10") as service:
            await submitted(service, publisher)
            body = {"model": publisher.name, "version": 1, "inputs": [ROW] * 6}
            answer = await service.client.post("/api/v1/batch", json=body)
            assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
            assert "ML_BATCH_QUOTA_ITEMS" in answer.json()["detail"]
            assert len((await service.client.get("/api/v1/jobs")).json()["jobs"]) == 1

    async def test_nor_by_jobs_that_come_at_the_same_time(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        body = {"model": publisher.name, "version": 1, "inputs": [ROW] * 3}
        async with serving(settings_env, publisher, tmp_path, ML_BATCH_QUOTA_ITEMS="10") as service:
            answers = await asyncio.gather(*(service.client.post("/api/v1/batch", json=body) for _ in range(12)))
            kept = (await service.client.get("/api/v1/jobs")).json()["jobs"]
        codes = [answer.status_code for answer in answers]
        assert (codes.count(202), codes.count(429), len(kept)) == (3, 9, 3)

    async def test_a_repeated_request_makes_one_job(self, service: Service, publisher: Publisher) -> None:
        body = {"model": publisher.name, "version": 1, "inputs": [ROW]}
        headers = {"Idempotency-Key": uuid4().hex}
        answers = [await service.client.post("/api/v1/batch", json=body, headers=headers) for _ in range(3)]
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert answers[1].headers["idempotency-replayed"] == "true"
        other = await service.client.post("/api/v1/batch", json={**body, "inputs": [ROW, ROW]}, headers=headers)
        assert other.status_code == 422
        assert len((await service.client.get("/api/v1/jobs")).json()["jobs"]) == 1

    @pytest.mark.parametrize(
        ("change", "status", "field"),
        [
            ({"inputs": []}, 422, "body.inputs"),
            ({"inputs": [ROW] * 11}, 422, "body.inputs"),
            ({"inputs": {"a": [1]}}, 422, "body.inputs"),
            ({"alias": "production"}, 422, "body"),
            ({"colour": "red"}, 422, "body.colour"),
            ({"model": "nobody-has-this"}, 404, None),
            ({"version": 77}, 404, None),
            ({"version": None}, 404, None),
            ({"version": None, "alias": "nowhere"}, 404, None),
        ],
    )
    async def test_what_cannot_be_a_job_is_refused(
        self, service: Service, publisher: Publisher, change: dict, status: int, field: str | None
    ) -> None:
        body = {"model": publisher.name, "version": 1, "inputs": [ROW], **change}
        answer = await service.client.post("/api/v1/batch", json=body)
        assert answer.status_code == status, answer.text
        if field is not None:
            assert [wrong["field"] for wrong in answer.json()["errors"]] == [field]
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []

    async def test_a_broker_that_is_away_holds_nobody_up(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        away = "redis://127.0.0.1:1/0"
        async with serving(settings_env, publisher, tmp_path, ML_REDIS_URL=away) as service:
            assert (await submitted(service, publisher))["state"] == "queued"


class TestList:
    async def test_pages_hold_each_job_once_newest_first(self, service: Service, publisher: Publisher) -> None:
        jobs = [(await submitted(service, publisher))["id"] for _ in range(5)]
        found, cursor = [], None
        while True:
            query = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
            page = (await service.client.get("/api/v1/jobs", params=query)).json()
            found += [job["id"] for job in page["jobs"]]
            if (cursor := page["next_cursor"]) is None:
                break
        assert found == jobs[::-1]

    async def test_by_state_and_model(self, service: Service, publisher: Publisher) -> None:
        kept, gone = [(await submitted(service, publisher))["id"] for _ in range(2)]
        await service.client.post(f"/api/v1/jobs/{gone}/cancel")

        async def listed(**query: str) -> list[str]:
            return [job["id"] for job in (await service.client.get("/api/v1/jobs", params=query)).json()["jobs"]]

        assert await listed(state="queued") == [kept]
        assert await listed(state="cancelled", model=publisher.name) == [gone]
        assert await listed(model="another") == []
        assert (await service.client.get("/api/v1/jobs", params={"cursor": "x"})).status_code == 422


class TestResults:
    async def test_those_of_a_cancelled_job_are_not_complete(self, service: Service, publisher: Publisher) -> None:
        place = f"/api/v1/jobs/{(await submitted(service, publisher))['id']}"
        assert (await service.client.post(f"{place}/cancel")).json()["cancelled"] == 6
        page = (await service.client.get(f"{place}/results")).json()
        assert (page["results"], page["next_cursor"], page["complete"]) == ([], None, False)


class TestEvents:
    async def test_a_stream_ends_with_the_job(self, service: Service, publisher: Publisher) -> None:
        job = (await submitted(service, publisher))["id"]

        async def cancelled() -> None:
            await asyncio.sleep(0.5)
            await service.client.post(f"/api/v1/jobs/{job}/cancel")

        answer, _ = await asyncio.gather(service.client.get(f"/api/v1/jobs/{job}/events"), cancelled())
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [block.splitlines() for block in answer.text.split("\n\n") if block.startswith("event:")]
        assert [name for name, _ in events] == ["event: progress", "event: end"]
        last = orjson.loads(events[-1][1].removeprefix("data: "))
        assert (last["state"], last["cancelled"]) == ("cancelled", 6)


class TestUnknown:
    @pytest.mark.parametrize("path", ["", "/results", "/events"])
    async def test_a_job_that_is_not_there(self, service: Service, path: str) -> None:
        assert (await service.client.get(f"/api/v1/jobs/{uuid4()}{path}")).status_code == 404

    async def test_nor_for_another_tenant(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        with mock.patch.dict(os.environ, settings_env):
            settings = ServingSettings()

        def headers(tenant: str) -> dict[str, str]:
            token = mint_token(settings, subject="t", tenant=tenant, roles=[Role.USER], ttl=timedelta(minutes=5))
            return {"Authorization": f"Bearer {token}"}

        async with serving(settings_env, publisher, tmp_path, ML_AUTH_ENABLED="true") as service:
            body = {"model": publisher.name, "version": 1, "inputs": [ROW]}
            answer = await service.client.post("/api/v1/batch", json=body, headers=headers("one"))
            place = answer.headers["location"]
            assert (await service.client.get(place, headers=headers("one"))).status_code == 200
            assert (await service.client.get(place, headers=headers("two"))).status_code == 404
            assert (await service.client.post(f"{place}/cancel", headers=headers("two"))).status_code == 404
