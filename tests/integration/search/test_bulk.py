"""Uploads as a client sends them: line by line, cut anywhere, wrong here and there, twice, and broken off."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterable

import httpx
import psycopg
import pytest

from mlplatform.events import BulkReindexRequest
from services.search.bulk import upload as upload_module
from tests.integration.embedding.rows import outbox
from tests.integration.embedding.waiting import eventually
from tests.integration.search.api import SearchApi, item
from tests.unit.embedding.encoders import POISON

NDJSON = "application/x-ndjson"


def line(entity_id: str, text: str = "red apple", **more: object) -> bytes:
    return json.dumps(item(entity_id, text, **more)).encode() + b"\n"


class Uploader:
    """Sends bodies as one tenant and reads what it is told."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers | {"Content-Type": NDJSON}

    async def post(self, content: object, **headers: str) -> httpx.Response:
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.post("/api/v1/index/bulk", content=content, headers=self._headers | renamed)

    async def send(self, content: object, **headers: str) -> list[dict[str, object]]:
        answer = await self.post(content, **headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == NDJSON
        return [json.loads(told) for told in answer.text.splitlines()]

    async def end(self, content: object, **headers: str) -> dict[str, object]:
        return (await self.send(content, **headers))[-1]

    async def state(self, name: str) -> httpx.Response:
        return await self._client.get("/api/v1/index/bulk", params={"upload": name}, headers=self._headers)


@pytest.fixture
def uploader(client, api) -> Uploader:
    return Uploader(client, api.headers)


async def in_parts(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def counts(told: dict[str, object]) -> tuple[object, object, object, object]:
    return told["acknowledged"], told["stored"], told["failed"], told["status"]


class TestUpload:
    @pytest.mark.usefixtures("node")
    async def test_every_line_is_found(self, api, uploader):
        end = await uploader.end(b"".join(line(str(number), f"word{number}") for number in range(40)))

        assert counts(end) == (40, 40, 0, "complete")
        await eventually(lambda: all_embedded(api))
        assert await api.found("word17", limit=1) == ["17"]

    @pytest.mark.usefixtures("space")
    async def test_items_and_their_events_are_stored_together_whatever_the_cuts(self, uploader, kernel):
        body = b"".join(line(str(number)) for number in range(300))

        end = await uploader.end(in_parts(body[start : start + 97] for start in range(0, len(body), 97)))

        assert counts(end) == (300, 300, 0, "complete")
        events = await outbox(kernel.database, BulkReindexRequest.event_type)
        named = {ref["entity_id"] for event in events for ref in event.data["items"]}
        assert named == {str(number) for number in range(300)}

    @pytest.mark.usefixtures("space")
    async def test_gzip_is_read(self, uploader):
        body = b"".join(line(str(number)) for number in range(100))

        assert counts(await uploader.end(gzip.compress(body), Content_Encoding="gzip")) == (100, 100, 0, "complete")

    async def test_an_empty_body_is_complete(self, uploader):
        assert counts(await uploader.end(b"")) == (0, 0, 0, "complete")

    @pytest.mark.usefixtures("space")
    async def test_the_last_line_of_an_item_counts(self, api, uploader):
        await uploader.end(line("1", "first") + line("2") + line("1", "last"))

        assert (await api.get("1")).json()["text"] == "last"

    @pytest.mark.usefixtures("node")
    async def test_a_text_that_the_model_cannot_take_fails_alone(self, api, uploader):
        await uploader.end(line("1") + line("2", POISON) + line("3"))

        await eventually(lambda: no_pending(api))
        assert [(await api.get(key)).json()["state"] for key in "123"] == ["embedded", "failed", "embedded"]

    @pytest.mark.usefixtures("space")
    async def test_tenants_do_not_meet(self, client, settings, uploader):
        other = SearchApi(client, settings, "zeta")
        await uploader.end(line("1"), Idempotency_Key="mine")

        assert (await other.get("1")).status_code == 404
        assert (await Uploader(client, other.headers).state("mine")).status_code == 404


class TestWrongLines:
    @pytest.mark.usefixtures("space")
    async def test_each_fails_alone_and_is_named(self, api, uploader):
        lines = [
            line("1"),
            b"{\n",
            b'{"text": "\xff"}\n',
            b"\n",
            b"x" * 2_000_000 + b"\n",
            line("2", metadata={"a": "x" * 20_000}),
            line("3", ""),
            b'{"entity_type": "doc", "entity_id": "4", "text": "a\\u0000b"}\n',
            line("5", " \t"),
            line("6"),
        ]

        told = await uploader.send(in_parts(lines))

        assert [each["line"] for each in told if "line" in each] == [2, 3, 5, 6, 7, 8, 9]
        assert counts(told[-1]) == (10, 2, 7, "complete")
        assert [(await api.get(key)).status_code for key in "12345"] == [200, 404, 404, 404, 404]
        assert (await api.get("6")).status_code == 200

    @pytest.mark.usefixtures("space")
    async def test_a_line_that_only_postgres_refuses_fails_alone(self, uploader, settings_env):
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as owner:
            owner.execute("ALTER TABLE search_items ADD CONSTRAINT no_plums CHECK (text <> 'plum')")

        told = await uploader.send(b"".join(line(str(n), "plum" if n == 17 else "pear") for n in range(50)))

        assert [each["line"] for each in told if "line" in each] == [18]
        assert counts(told[-1]) == (50, 49, 1, "complete")

    @pytest.mark.usefixtures("space")
    async def test_too_many_end_the_upload_and_what_was_right_is_stored(self, api, uploader, settings):
        body = line("1") + b"{\n" * 3000 + line("2")

        told = await uploader.send(body)

        assert told[-1]["status"] == "refused"
        assert settings.search_bulk_errors < told[-1]["failed"] < 3000
        assert (await api.get("1")).status_code == 200
        assert (await api.get("2")).status_code == 404

    @pytest.mark.usefixtures("space")
    async def test_broken_gzip_ends_the_upload_and_what_came_before_is_stored(self, api, uploader):
        body = gzip.compress(b"".join(line(str(number)) for number in range(2000)), mtime=0)[:-200]

        end = await uploader.end(body, Content_Encoding="gzip")

        assert end["status"] == "refused"
        assert end["acknowledged"] == end["stored"]
        assert (await api.get(str(end["stored"]))).status_code == 404


class TestRefused:
    @pytest.mark.parametrize("kind", ["application/json", "text/plain", "", f"{NDJSON}; charset=latin-1"])
    async def test_another_content_type(self, uploader, kind):
        assert (await uploader.post(line("1"), Content_Type=kind)).status_code == 415

    async def test_another_content_coding(self, uploader):
        answer = await uploader.post(line("1"), Content_Encoding="br")

        assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip")

    async def test_a_key_that_is_no_word(self, uploader):
        assert (await uploader.post(line("1"), Idempotency_Key="two words")).status_code == 422

    async def test_an_unknown_upload(self, uploader):
        assert (await uploader.state("unknown")).json()["code"] == "upload_not_found"


class TestManyAtOnce:
    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(update={"search_bulk_uploads": 3, "search_bulk_uploads_per_tenant": 2})

    @pytest.mark.usefixtures("space")
    async def test_only_so_many_are_read_and_each_tenant_has_its_share(self, client, settings, uploader):
        other = Uploader(client, SearchApi(client, settings, "zeta").headers)
        more = asyncio.Event()

        async def body(key: str) -> AsyncIterator[bytes]:
            yield line(key)
            await more.wait()

        async def release() -> None:
            # Those that are refused are answered at once; the others wait for the rest of their body.
            await eventually(lambda: sum(task.done() for task in tasks) == 4)
            more.set()

        senders = (uploader, uploader, other, uploader, uploader, other, uploader)
        tasks = [asyncio.create_task(sender.post(body(str(key)))) for key, sender in enumerate(senders)]
        releasing = asyncio.create_task(release())
        statuses = [answer.status_code for answer in await asyncio.gather(*tasks)]
        await releasing

        assert sorted(statuses) == [200, 200, 200, 429, 429, 429, 429]
        assert (await uploader.post(line("1"))).status_code == 200


class TestSentAgain:
    @pytest.mark.usefixtures("space")
    async def test_a_complete_upload_is_not_done_twice(self, api, uploader):
        body = line("1") + b"{\n" + line("2")
        first = await uploader.end(body, Idempotency_Key="mine")

        again = await uploader.end(body, Idempotency_Key="mine")

        assert again == first
        assert (await api.get("1")).json()["generation"] == 1
        state = (await uploader.state("mine")).json()
        assert (state["acknowledged"], state["stored"], state["failed_lines"], state["complete"]) == (3, 2, [2], True)

    @pytest.mark.usefixtures("space")
    async def test_more_lines_go_on_behind_the_stored_ones(self, api, uploader):
        await uploader.end(line("1"), Idempotency_Key="mine")

        end = await uploader.end(line("1") + line("2"), Idempotency_Key="mine")

        assert counts(end) == (2, 2, 0, "complete")
        assert [(await api.get(key)).json()["generation"] for key in "12"] == [1, 1]

    @pytest.mark.usefixtures("space")
    @pytest.mark.parametrize("other", [line("3") + line("2"), line("1"), b""])
    async def test_another_body_is_refused_and_nothing_of_it_stored(self, api, uploader, other):
        await uploader.end(line("1") + line("2"), Idempotency_Key="mine")

        assert (await uploader.end(other, Idempotency_Key="mine"))["status"] == "refused"
        assert (await api.get("3")).status_code == 404

    @pytest.mark.usefixtures("space")
    async def test_two_at_once_store_each_line_once(self, api, uploader):
        body = b"".join(line(str(number)) for number in range(1500))

        ends = await asyncio.gather(*(uploader.end(body, Idempotency_Key="mine") for _ in range(2)))

        assert {end["status"] for end in ends} <= {"complete", "interrupted"}
        assert "complete" in {end["status"] for end in ends}
        assert (await api.get("1499")).json()["generation"] == 1

    @pytest.mark.usefixtures("space")
    async def test_a_batch_whose_commit_was_answered_by_nobody_is_stored_once(self, api, uploader, monkeypatch):
        write_items = upload_module.write_items
        calls: list[int] = []

        async def commit_and_lose(connection, tenant, items, event):
            calls.append(len(items))
            pending = await write_items(connection, tenant, items, event)
            if len(calls) == 1:
                await connection.execute("COMMIT")
                raise psycopg.OperationalError("the connection is lost")
            return pending

        monkeypatch.setattr(upload_module, "write_items", commit_and_lose)

        end = await uploader.end(line("1") + line("2"))

        assert counts(end) == (2, 2, 0, "complete")
        assert [(await api.get(key)).json()["generation"] for key in "12"] == [1, 1]


async def no_pending(api) -> bool:
    answer = await api._client.get("/api/v1/index/states", headers=api.headers)
    return answer.json()["pending"] == 0


async def all_embedded(api) -> bool:
    answer = await api._client.get("/api/v1/index/states", headers=api.headers)
    return answer.json() == {"pending": 0, "failed": 0}
