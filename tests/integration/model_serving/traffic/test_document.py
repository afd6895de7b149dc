"""Reading and changing the routing document over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redis.asyncio import Redis

from mlplatform.auth import Role
from mlplatform.events import TrafficChanged
from mlplatform.events.schemas import parse
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, eventually, serving
from tests.integration.model_serving.test_access import token_of
from tests.integration.model_serving.traffic.steering import put, traffic

CANARY = {"canary": {"version": "2", "percent": 5}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"canary": {"version": "99", "percent": 5}}, "body.document.canary"),
    ({"primary": "nowhere"}, "body.document.primary"),
    ({"shadow": [{"version": "2"}, {"alias": "nowhere"}]}, "body.document.shadow.1"),
    ({"canary": {"version": "2", "percent": 101}}, "body.document.canary.percent"),
    ({"canary": {"version": "2", "alias": "a", "percent": 1}}, "body.document.canary"),
    ({"canary": {"percent": 1}}, "body.document.canary"),
    ({"shadows": []}, "body.document.shadows"),
    ({"experiment": {"name": "e", "arms": [{"name": "a", "version": "1"}]}}, "body.document.experiment.arms"),
]
"""Documents, and the field that the answer names."""


@pytest.fixture
async def secured(settings_env: dict[str, str], versions: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, versions, tmp_path, ML_AUTH_ENABLED="true") as running:
        yield running


class TestChange:
    async def test_is_written_with_its_author_history_event_and_audit(
        self, service: Service, versions: Publisher, settings_env: dict[str, str], redis_url: str
    ) -> None:
        name = versions.name
        assert (await traffic(service, name))["document"] is None
        answer = await put(service, name, CANARY)
        assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
        shown = await traffic(service, name)
        assert (shown["revision"], shown["in_effect"], shown["actor"], shown["reason"]) == (1, 1, "anonymous", "test")
        assert shown["document"]["canary"] == {"version": "2", "alias": None, "percent": 5.0}
        cleared = await service.client.delete(f"/api/v1/models/{name}/traffic", headers={"If-Match": '"1"'})
        assert (cleared.json()["revision"], cleared.json()["in_effect"]) == (2, None)
        page = (await service.client.get(f"/api/v1/models/{name}/traffic/history", params={"limit": 1})).json()
        assert [entry["action"] for entry in page["revisions"]] == ["clear"]
        page = (
            await service.client.get(f"/api/v1/models/{name}/traffic/history", params={"cursor": page["next_cursor"]})
        ).json()
        assert [(entry["action"], entry["revision"]) for entry in page["revisions"]] == [("set", 1)]
        assert page["next_cursor"] is None
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as database:
            found = database.execute("SELECT action, resource FROM audit_events ORDER BY id").fetchall()
        assert found == [("traffic.set", f"model:{name}"), ("traffic.clear", f"model:{name}")]
        async with Redis.from_url(redis_url) as redis:

            async def published() -> list[TrafficChanged]:
                entries = await redis.xrange(TrafficChanged.event_type)
                return [TrafficChanged.from_event(parse(fields[b"event"])) for _, fields in entries]

            async def both() -> bool:
                return len(await published()) == 2

            await eventually(both)
            assert [(event.revision, event.action) for event in await published()] == [(1, "set"), (2, "clear")]

    async def test_of_a_revision_that_was_not_read_is_refused(self, service: Service, versions: Publisher) -> None:
        name = versions.name
        assert (await put(service, name, CANARY, Accept="*/*")).status_code == 200
        unread = await put(service, name, CANARY, Accept="*/*")
        assert (unread.status_code, unread.json()["code"]) == (409, "revision_missing")
        stale = await put(service, name, CANARY, **{"If-Match": '"7"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
        unreadable = await put(service, name, CANARY, **{"If-Match": "three"})
        assert (unreadable.status_code, unreadable.json()["errors"][0]["field"]) == (422, "header.If-Match")
        assert (await traffic(service, name))["revision"] == 1

    async def test_by_two_at_once_is_made_by_one(self, service: Service, versions: Publisher) -> None:
        answers = await asyncio.gather(
            *(
                put(service, versions.name, {"canary": {"version": "2", "percent": percent}}, Accept="*/*")
                for percent in range(1, 6)
            )
        )
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(200) == 1
        assert set(statuses) <= {200, 409, 412}
        assert (await traffic(service, versions.name))["revision"] == 1

    async def test_that_names_what_does_not_exist_or_makes_no_sense_is_refused(
        self, service: Service, versions: Publisher
    ) -> None:
        for document, field in REFUSED:
            answer = await put(service, versions.name, document)
            assert answer.status_code == 422, answer.text
            assert field in [error["field"] for error in answer.json()["errors"]], document
            assert (await traffic(service, versions.name))["revision"] == 0

    async def test_of_an_unknown_model_is_404(self, service: Service) -> None:
        assert (await put(service, "unknown", CANARY)).status_code == 404
        assert (await service.client.get("/api/v1/models/unknown/traffic")).status_code == 404


class TestAccess:
    async def test_a_viewer_reads_and_only_an_administrator_changes(
        self, secured: Service, versions: Publisher, settings_env: dict[str, str]
    ) -> None:
        path = f"/api/v1/models/{versions.name}/traffic"
        user, admin = token_of(settings_env, Role.USER), token_of(settings_env, Role.ML_ADMIN)
        assert (await secured.client.get(path)).status_code == 401
        assert (await secured.client.get(path, headers=token_of(settings_env, Role.VIEWER))).status_code == 200
        for answer in (
            await put(secured, versions.name, CANARY, **user),
            await secured.client.delete(path, headers=user),
            await secured.client.post(f"{path}/abort", json={}, headers=user),
        ):
            assert answer.status_code == 403
        assert (await put(secured, versions.name, CANARY, **admin)).json()["actor"] == "tester"
