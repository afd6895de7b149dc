import psycopg
import pytest

from mlplatform.events import BulkReindexRequest
from tests.integration.embedding.rows import outbox
from tests.integration.embedding.waiting import eventually
from tests.integration.search.api import SearchApi, item
from tests.unit.embedding.encoders import POISON


async def page(api, **asked: object) -> dict[str, object]:
    answer = await api._client.get("/api/v1/index", params=asked, headers=api.headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def counted(api) -> dict[str, int]:
    return dict((await api._client.get("/api/v1/index/states", headers=api.headers)).json())


async def retry(api, **body: object) -> int:
    answer = await api._client.post("/api/v1/index/retry", json=body, headers=api.headers)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["retried"])


class TestList:
    @pytest.mark.usefixtures("node")
    async def test_those_that_failed_are_listed_with_the_reason(self, api):
        await api.index(item("1", POISON), item("2", "good"), wait=True, wait_seconds=60)

        listed = await page(api, state="failed")

        assert [(each["entity_id"], each["state"]) for each in listed["items"]] == [("1", "failed")]
        assert "RuntimeError" in listed["items"][0]["error"]
        assert listed["next_cursor"] is None
        assert await counted(api) == {"pending": 0, "failed": 1}

    @pytest.mark.usefixtures("space")
    async def test_pages_hold_every_item_once_in_order(self, api):
        await api.index(*(item(f"{number:02}", "text") for number in range(7)))
        await api.index({"entity_type": "other", "entity_id": "1", "text": "text"})
        seen: list[tuple[str, str]] = []
        cursor: dict[str, object] = {}
        while True:
            got = await page(api, limit=3, state="pending", **cursor)
            seen += [(each["entity_type"], each["entity_id"]) for each in got["items"]]
            if got["next_cursor"] is None:
                break
            cursor = {"cursor": got["next_cursor"]}

        assert seen == [*(("doc", f"{number:02}") for number in range(7)), ("other", "1")]
        assert [each["entity_id"] for each in (await page(api, entity_type="other"))["items"]] == ["1"]

    @pytest.mark.usefixtures("space")
    async def test_another_tenant_sees_nothing(self, api, client, settings):
        await api.index(item("1", "text"))
        other = SearchApi(client, settings, "zeta")

        assert (await page(other))["items"] == []
        assert await counted(other) == {"pending": 0, "failed": 0}

    @pytest.mark.parametrize("cursor", ["!", "AAAA", "WyJhIl0=", "WzEsMl0=", "WyJhIiwiXHUwMDAwIl0=", "é"])
    async def test_a_cursor_that_no_page_gave_is_refused(self, api, cursor):
        answer = await api._client.get("/api/v1/index", params={"cursor": cursor}, headers=api.headers)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


class TestRetry:
    @pytest.mark.usefixtures("node")
    async def test_an_item_whose_cause_was_mended_is_found(self, api, settings_env):
        await api.index(item("1", POISON), item("2", POISON), wait=True, wait_seconds=60)
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            owner.execute("UPDATE search_items SET text = 'red apple' WHERE entity_id = '1'")

        assert await retry(api) == 2

        await eventually(lambda: is_counted(api, {"pending": 0, "failed": 1}))
        assert await api.found("apple") == ["1"]

    @pytest.mark.usefixtures("node")
    async def test_only_what_is_named_is_retried(self, api, kernel):
        await api.index(item("1", POISON), item("2", POISON), item("3", "good"), wait=True, wait_seconds=60)

        assert await retry(api, entity_type="other") == 0
        assert await retry(api, entity_type="doc", entity_ids=["2", "3", "unknown"]) == 1

        (event,) = await outbox(kernel.database, BulkReindexRequest.event_type)
        assert [ref["entity_id"] for ref in event.data["items"]] == ["2"]


async def is_counted(api, expected: dict[str, int]) -> bool:
    return await counted(api) == expected
