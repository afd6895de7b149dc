"""The history of promotions over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlplatform.database import Database
from mlplatform.objects import ObjectStore
from mlplatform.registry import repository
from mlplatform.registry.approvals import repository as approvals
from mlplatform.settings import PlatformSettings
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

PAGE = b"<!doctype html><p>fine</p>"
REPORT = b'{"passed": true, "findings": []}'


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path) as running:
        yield running


async def promote(environment: dict[str, str], model: str, version: str, report: str | None = None) -> int:
    """Write a promotion that was done into the ledger."""
    database = Database(environment["ML_DATABASE_URL"])
    await database.open()
    try:
        async with database.transaction() as connection:
            number = await repository.reserve_id(connection)
            await repository.insert_intent(
                connection,
                promotion_id=number,
                model=model,
                stage="Production",
                action="promote",
                from_version=None,
                to_version=version,
                artifact_digest="0" * 64,
                gate_report_uri=report,
                actor="tester",
                reason="it is better",
                trace_id=None,
            )
            await repository.close(connection, number, "committed")
    finally:
        await database.close()
    return number


class TestListPromotions:
    async def test_pages_run_from_the_newest_to_the_oldest(
        self, service: Service, settings_env: dict[str, str], unique: str
    ) -> None:
        for version in ("1", "2", "3"):
            await promote(settings_env, unique, version)
        await promote(settings_env, f"{unique}-other", "9")
        path = f"/api/v1/models/{unique}/promotions"
        first = (await service.client.get(path, params={"limit": 2})).json()
        second = (await service.client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [entry["to_version"] for entry in first["promotions"] + second["promotions"]] == ["3", "2", "1"]
        assert second["next_cursor"] is None
        assert first["promotions"][0]["actor"] == "tester"
        assert first["promotions"][0]["state"] == "committed"

    async def test_a_model_that_was_never_promoted_has_none(self, service: Service, unique: str) -> None:
        answer = await service.client.get(f"/api/v1/models/{unique}/promotions")
        assert answer.json() == {"promotions": [], "next_cursor": None}

    async def test_a_cursor_that_is_not_ours_is_refused(self, service: Service, unique: str) -> None:
        answer = await service.client.get(f"/api/v1/models/{unique}/promotions", params={"cursor": "x"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


class TestReadReport:
    async def test_gives_what_the_gates_wrote(
        self, service: Service, settings_env: dict[str, str], unique: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in settings_env.items():
            monkeypatch.setenv(name, value)
        settings = PlatformSettings()
        objects = ObjectStore(settings)
        await objects.ensure_bucket()
        await objects.put(f"gate-reports/{unique}.json", REPORT, "application/json")
        uri = f"s3://{settings.s3_bucket}/gate-reports/{unique}.json"
        number = await promote(settings_env, unique, "1", uri)
        answer = await service.client.get(f"/api/v1/models/{unique}/promotions/{number}/report")
        objects.close()
        assert answer.content == REPORT
        assert answer.headers["content-type"] == "application/json"
        missing = await service.client.get(f"/api/v1/models/{unique}/promotions/{number}/report?format=html")
        assert missing.status_code == 404

    async def test_gives_the_page_with_headers_that_let_it_do_nothing(
        self, service: Service, settings_env: dict[str, str], unique: str
    ) -> None:
        await service.serving.objects.ensure_bucket()
        await service.serving.objects.put(f"gate-reports/{unique}.html", PAGE, "text/html")
        number = await promote(settings_env, unique, "1", f"s3://platform/gate-reports/{unique}.json")
        path = f"/api/v1/models/{unique}/promotions/{number}/report"
        answer = await service.client.get(path, params={"format": "html"})
        assert answer.content == PAGE
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; img-src data:;")
        assert "script-src" not in policy
        assert "sandbox" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await service.client.get(path, params={"format": "pdf"})).status_code == 422

    async def test_an_unknown_promotion_or_one_without_gates_or_of_another_model_is_404(
        self, service: Service, settings_env: dict[str, str], unique: str
    ) -> None:
        without = await promote(settings_env, unique, "1")
        lost = await promote(settings_env, unique, "2", f"s3://platform/gate-reports/{unique}-gone.json")
        for path in (
            f"{unique}/promotions/{without}/report",
            f"{unique}/promotions/{lost}/report",
            f"other/promotions/{lost}/report",
            f"{unique}/promotions/{2**62}/report",
        ):
            answer = await service.client.get(f"/api/v1/models/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_what_is_no_promotion_is_refused(self, service: Service, unique: str) -> None:
        for number in ("0", "x", str(2**63)):
            answer = await service.client.get(f"/api/v1/models/{unique}/promotions/{number}/report")
            assert answer.status_code == 422


class TestListApprovals:
    async def test_pages_run_from_the_newest_to_the_oldest(
        self, service: Service, settings_env: dict[str, str], unique: str
    ) -> None:
        await approve(settings_env, unique, "eve", "kim")
        path = f"/api/v1/models/{unique}/approvals"
        first = (await service.client.get(path, params={"limit": 1})).json()
        second = (await service.client.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()
        entries = first["approvals"] + second["approvals"]
        assert [entry["approver"] for entry in entries] == ["kim", "eve"]
        assert second["next_cursor"] is None
        assert (entries[0]["decision"], entries[0]["identity"], entries[0]["expired"]) == ("approved", "token", False)

    async def test_a_model_that_nobody_approved_has_none(self, service: Service, unique: str) -> None:
        answer = await service.client.get(f"/api/v1/models/{unique}/approvals")
        assert answer.json() == {"approvals": [], "next_cursor": None}


async def approve(environment: dict[str, str], model: str, *people: str) -> None:
    """Have people approve version 1 of a model."""
    database = Database(environment["ML_DATABASE_URL"])
    await database.open()
    try:
        for who in people:
            async with database.transaction() as connection:
                await approvals.insert(
                    connection,
                    model=model,
                    version="1",
                    stage="Production",
                    artifact_digest="0" * 64,
                    decision="approved",
                    approver=who,
                    identity="token",
                    reason=None,
                    trace_id=None,
                    holds=timedelta(days=1),
                )
    finally:
        await database.close()
