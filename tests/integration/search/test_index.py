import uuid

import psycopg
import pytest

from services.search import repository
from services.search.items import Item
from tests.integration.search.api import item
from tests.unit.embedding.encoders import POISON

WRONG = [
    (item("", "text"), "body.items.1.entity_id"),
    (item("x" * 257, "text"), "body.items.1.entity_id"),
    (item("a\x00b", "text"), "body.items.1.entity_id"),
    (item("2", ""), "body.items.1.text"),
    (item("2", " \n"), "body.items.1.text"),
    (item("2", "\x01\x1b\x7f"), "body.items.1.text"),
    (item("2", "\u200b\ufeff"), "body.items.1.text"),
    (item("2", "a\x00b"), "body.items.1.text"),
    (item("2", 3), "body.items.1.text"),
    (item("2", "x" * 100_001), "body.items.1.text"),
    (item("1", "again"), "body.items.1.entity_id"),
    (item("2", "text", metadata={"a": ["\x00"]}), "body.items.1.metadata"),
    (item("2", "text", metadata={"a": "x" * 17_000}), "body.items.1.metadata"),
    (item("2", "text", metadata=[1]), "body.items.1.metadata"),
    (item("2", "text", tags=["\x00"]), "body.items.1.tags.0"),
    (item("2", "text", tags=["t"] * 65), "body.items.1.tags"),
    (item("2", "text", unknown=1), "body.items.1.unknown"),
    ({"entity_type": "no spaces", "entity_id": "2", "text": "t"}, "body.items.1.entity_type"),
]
"""The second item of a request, and the field that the answer names."""


class TestAdd:
    @pytest.mark.usefixtures("node")
    async def test_an_item_can_be_found_once_waited_for(self, api):
        answer = await api.index(item("1", "red apple"), wait=True, wait_seconds=60)

        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "embedded": 1, "failed": 0, "truncated": 0})
        assert await api.found("apple") == ["1"]

    @pytest.mark.usefixtures("space")
    async def test_without_a_node_it_is_kept_and_pending(self, api):
        answer = await api.index(item("1", "red apple", metadata={"n": 1}, tags=["t"]))

        assert (answer.status_code, answer.json()["embedded"]) == (202, 0)
        stored = (await api.get("1")).json()
        assert (stored["state"], stored["text"], stored["metadata"], stored["tags"]) == (
            "pending",
            "red apple",
            {"n": 1},
            ["t"],
        )

    @pytest.mark.usefixtures("space")
    async def test_a_wait_ends_when_its_time_is_up(self, api):
        answer = await api.index(item("1", "red apple"), wait=True, wait_seconds=0.3)

        assert answer.json() == {"accepted": 1, "embedded": 0, "failed": 0, "truncated": 0}

    @pytest.mark.usefixtures("node")
    async def test_a_text_that_the_model_cannot_take_is_reported(self, api):
        answer = await api.index(item("1", POISON), item("2", "good"), wait=True, wait_seconds=60)

        assert answer.json() == {"accepted": 2, "embedded": 1, "failed": 1, "truncated": 0}
        failed = (await api.get("1")).json()
        assert (failed["state"], "RuntimeError" in failed["error"]) == ("failed", True)

    @pytest.mark.usefixtures("node")
    async def test_a_new_text_replaces_the_old_one_in_the_results(self, api):
        await api.index_and_wait(item("1", "red apple"), item("2", "green pear"))
        await api.index_and_wait(item("1", "blue plum"))

        assert await api.found("plum", limit=1) == ["1"]
        assert (await api.get("1")).json()["generation"] == 2

    @pytest.mark.usefixtures("node")
    async def test_a_text_that_is_being_replaced_is_not_found_by_its_old_vector(self, api, kernel):
        await api.index_and_wait(item("1", "red apple"))
        async with kernel.database.transaction("acme") as connection:
            await repository.save_items(connection, [Item("doc", "1", "blue plum")])

        answer = (await api.search("apple")).json()

        assert (answer["results"], answer["complete"]) == ([], False)

    async def test_an_unchanged_text_is_not_embedded_again(self, api, node):
        await api.index_and_wait(item("1", "red apple"))

        answer = await api.index(item("1", "red apple", metadata={"new": True}, tags=["new"]))

        assert answer.json() == {"accepted": 1, "embedded": 1, "failed": 0, "truncated": 0}
        assert await api.found("apple", filters={"new": True}, tags=["new"]) == ["1"]
        assert node._encoder.forwarded == [1]

    @pytest.mark.usefixtures("space")
    async def test_a_repeated_request_gets_the_first_answer(self, api):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = await api.index(item("1", "red apple"), headers=key)

        again = await api.index(item("1", "red apple"), headers=key)

        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert (await api.get("1")).json()["generation"] == 1

    @pytest.mark.usefixtures("space")
    async def test_a_key_used_for_another_request_is_refused(self, api):
        key = {"Idempotency-Key": str(uuid.uuid4())}
        await api.index(item("1", "red apple"), headers=key)

        assert (await api.index(item("2", "green pear"), headers=key)).status_code == 422

    async def test_one_wrong_item_is_named_and_nothing_is_stored(self, api):
        for wrong, field in WRONG:
            answer = await api.index(item("1", "good"), wrong)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert (await api.get("1")).status_code == 404

    async def test_metadata_that_is_nested_too_deeply_is_refused(self, api):
        deep: dict[str, object] = {}
        for _ in range(8):
            deep = {"a": deep}

        assert (await api.index(item("1", "text", metadata=deep))).status_code == 422

    async def test_odd_texts_come_back_as_they_were(self, api):
        for text in ("日本語 🙂", "\x01 a\x07", "x" * 100_000, "'; DROP TABLE search_items; --"):
            assert (await api.index(item("an id? & more", text))).status_code == 202
            assert (await api.get("an%20id%3F%20&%20more")).json()["text"] == text

    async def test_lone_surrogates_are_refused(self, client, api):
        body = b'{"items":[{"entity_type":"doc","entity_id":"1","text":"\\ud800"}]}'

        answer = await client.post(
            "/api/v1/index", content=body, headers={**api.headers, "Content-Type": "application/json"}
        )

        assert answer.status_code == 400


class TestDelete:
    @pytest.mark.usefixtures("node")
    async def test_a_deleted_item_is_neither_found_nor_read(self, api):
        await api.index_and_wait(item("1", "red apple"), item("2", "red apple pie"))

        answer = await api.delete("1", "unknown")

        assert (answer.status_code, answer.json()) == (200, {"deleted": 1})
        assert await api.found("apple") == ["2"]
        assert (await api.get("1")).status_code == 404

    @pytest.mark.usefixtures("node")
    async def test_its_vector_is_gone_and_the_deletion_is_recorded(self, api, space, kernel, settings_env):
        await api.index_and_wait(item("1", "red apple"))

        await api.delete("1")

        async with kernel.database.transaction("acme") as connection:
            cursor = await connection.execute(f"SELECT count(*) FROM embeddings_{space.id}")  # noqa: S608 - a number
            assert (await cursor.fetchone()) == {"count": 0}
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            audit = owner.execute(
                "SELECT actor, tenant_id, resource, detail->'entity_ids' FROM audit_events "
                "WHERE action = 'index.deleted'"
            ).fetchall()
        assert audit == [("tester", "acme", "index/doc", ["1"])]

    async def test_deleting_nothing_is_no_error_and_not_recorded(self, api, settings_env):
        assert (await api.delete("unknown")).json() == {"deleted": 0}

        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            assert owner.execute("SELECT count(*) FROM audit_events WHERE action = 'index.deleted'").fetchone() == (0,)

    async def test_an_id_with_a_nul_is_refused(self, api):
        assert (await api.delete("a\x00")).status_code == 422


class TestRead:
    async def test_an_unknown_item_is_not_found(self, api):
        answer = await api.get("unknown")

        assert (answer.status_code, answer.json()["code"]) == (404, "item_not_found")

    async def test_a_nul_in_the_path_is_not_found(self, api):
        assert (await api.get("a%00b")).status_code == 404
