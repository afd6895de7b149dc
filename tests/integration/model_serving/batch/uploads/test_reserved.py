"""Bytes are reserved before they are read: uploads that come together are refused while the others still come."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.model_serving.batch.uploads.conftest import KIB, Bucket, rows, send
from tests.integration.model_serving.batch.uploads.slow import SlowBody, spooled_files
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving

MIB = KIB * KIB
HEADER = b"a,b,c\n"
ROWS = b"1.0,2.0,3.0\n" * 100_000
PART = HEADER + ROWS
"""More than is held in memory."""
QUOTA = 3 * MIB
"""Of which an upload of two parts fits, and no second one."""
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
async def service(
    environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
) -> AsyncIterator[Service]:
    publisher.linear(2.0)
    limits = {
        "ML_BATCH_QUOTA_BYTES": str(QUOTA),
        "ML_MAX_FILE_SIZE": str(8 * MIB),
        "ML_MAX_TOTAL_UPLOAD_SIZE": str(8 * MIB),
    }
    async with serving(environment, publisher, tmp_path, **limits) as running:
        yield running


class Sender:
    """Sends uploads for a model.

    Args:
        service: To which.
        publisher: Of the model.
    """

    def __init__(self, service: Service, publisher: Publisher) -> None:
        self._service = service
        self._publisher = publisher

    async def send_table(self, body: SlowBody, *, is_declared: bool = True, **headers: str) -> httpx.Response:
        """Send a table, which perhaps says how long it is."""
        query = {"model": self._publisher.name, "version": "1"}
        return await self._post("table", body, is_declared=is_declared, query=query, **CSV, **headers)

    async def send_form(self, body: SlowBody, *, is_declared: bool = True) -> httpx.Response:
        """Send a form, which perhaps says how long it is."""
        return await self._post("files", body, is_declared=is_declared, **FORM)

    async def _post(
        self, what: str, body: SlowBody, *, is_declared: bool, query: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        if is_declared:
            headers["Content-Length"] = str(body.size)
        return await self._service.client.post(
            f"/api/v1/batch/{what}", params=query, content=body.parts(), headers=headers
        )


@pytest.fixture
def sender(service: Service, publisher: Publisher) -> Sender:
    return Sender(service, publisher)


def table(*, waits: bool = True) -> SlowBody:
    """Return a table that comes in two parts, the second perhaps when it is let go on."""
    return body_of(PART, ROWS, waits=waits)


def form(publisher: Publisher, *, waits: bool = True) -> SlowBody:
    """Return a form with a text that comes in two parts."""
    head = (
        f'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n{publisher.name}\r\n'
        '--x\r\nContent-Disposition: form-data; name="version"\r\n\r\n1\r\n'
        '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    )
    return body_of(head.encode() + ROWS, ROWS + b"\r\n--x--\r\n", waits=waits)


def body_of(*parts: bytes, waits: bool = False) -> SlowBody:
    body = SlowBody(*parts)
    if not waits:
        body.go_on.set()
    return body


class TestTables:
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_the_second_is_refused_while_the_first_still_comes(
        self, sender: Sender, bucket: Bucket, owner: psycopg.Connection, *, is_declared: bool
    ) -> None:
        before = spooled_files()
        first, second = table(), table(waits=False)
        coming = asyncio.create_task(sender.send_table(first, is_declared=is_declared))
        await first.begun.wait()
        refused = await sender.send_table(second, is_declared=is_declared)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded"), refused.text
        assert "uploads under way" in refused.json()["detail"]
        assert second.taken == (0 if is_declared else len(PART))
        assert (bucket.listed(), not coming.done()) == (set(), True)
        assert len(spooled_files() - before) == 1
        first.go_on.set()
        assert (await coming).status_code == 202
        assert spooled_files() == before
        assert len(bucket.listed()) == 1
        assert rows(owner) == [(1, first.size)]
        assert owner.execute("SELECT reserved, spooled, reserved_until FROM batch_uploads").fetchall() == [(0, 0, None)]

    async def test_one_that_declares_more_than_there_is_room_for_is_not_read(
        self, sender: Sender, owner: psycopg.Connection
    ) -> None:
        body = body_of(PART, ROWS, ROWS)
        refused = await sender.send_table(body)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert (body.taken, rows(owner)) == (0, [])

    async def test_what_was_refused_makes_room_at_once(self, sender: Sender) -> None:
        for _ in range(3):
            assert (await sender.send_table(body_of(b"no,such,columns\xff\n" + ROWS, ROWS))).status_code == 422
        assert (await sender.send_table(table(waits=False))).status_code == 202

    async def test_so_does_one_whose_sender_goes_away(
        self, sender: Sender, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        before = spooled_files()
        gone = table()
        coming = asyncio.create_task(sender.send_table(gone))
        await gone.begun.wait()
        coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await coming
        assert (bucket.listed(), rows(owner), spooled_files()) == (set(), [], before)
        assert (await sender.send_table(table(waits=False))).status_code == 202

    async def test_a_repeated_request_gets_its_answer_though_there_is_no_room(
        self, sender: Sender, bucket: Bucket
    ) -> None:
        once = {"Idempotency-Key": uuid4().hex}
        answers = [await sender.send_table(table(waits=False), **once) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert len(bucket.listed()) == 1


class TestForms:
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_the_second_is_refused_before_it_was_read_whole(
        self,
        sender: Sender,
        publisher: Publisher,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        is_declared: bool,
    ) -> None:
        before = spooled_files()
        first, second = form(publisher), form(publisher, waits=False)
        coming = asyncio.create_task(sender.send_form(first, is_declared=is_declared))
        await first.begun.wait()
        refused = await sender.send_form(second, is_declared=is_declared)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded"), refused.text
        assert second.taken < second.size
        assert (bucket.listed(), not coming.done()) == (set(), True)
        first.go_on.set()
        answer = await coming
        assert answer.status_code == 202, answer.text
        assert (len(bucket.listed()), rows(owner)) == (1, [(1, 2 * len(ROWS))])
        assert spooled_files() == before

    async def test_one_that_declares_more_than_there_is_room_for_is_not_read(self, sender: Sender) -> None:
        body = body_of(ROWS, ROWS, ROWS, ROWS)
        refused = await sender.send_form(body)
        assert (refused.status_code, refused.json()["code"], body.taken) == (429, "quota_exceeded", 0)


class TestDisk:
    async def test_uploads_that_do_not_fit_on_it_together_come_one_after_the_other(
        self, environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, ML_BATCH_MAX_SPOOL_SIZE=str(QUOTA)) as service:
            sender = Sender(service, publisher)
            first, second = table(), table(waits=False)
            coming = asyncio.create_task(sender.send_table(first))
            await first.begun.wait()
            refused = await sender.send_table(second)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded"), refused.text
            assert (refused.headers["retry-after"], second.taken) == ("1", 0)
            first.go_on.set()
            assert (await coming).status_code == 202
            assert (await sender.send_table(second)).status_code == 202
            large = body_of(PART, ROWS, ROWS)
            never = await sender.send_table(large)
            assert (never.status_code, large.taken) == (413, 0)
            assert "ML_BATCH_MAX_SPOOL_SIZE" in never.json()["detail"]
        assert len(bucket.listed()) == 2

    async def test_a_form_needs_as_much_of_it_as_its_largest_file(
        self, environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        limits = {
            "ML_BATCH_MAX_SPOOL_SIZE": str(2 * MIB),
            "ML_MAX_FILE_SIZE": str(4 * MIB),
            "ML_MAX_TOTAL_UPLOAD_SIZE": str(8 * MIB),
        }
        async with serving(environment, publisher, tmp_path, **limits) as service:
            fitting = await send(service, publisher, *(ROWS for _ in range(4)))
            large = await send(service, publisher, 2 * ROWS)
        assert (fitting.status_code, large.status_code) == (202, 413), (fitting.text, large.text)
        assert len(bucket.listed()) == 4
