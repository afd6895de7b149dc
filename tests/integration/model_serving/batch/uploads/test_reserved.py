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


async def post_table(
    service: Service, publisher: Publisher, body: SlowBody, *, is_declared: bool, **headers: str
) -> httpx.Response:
    declared = {"Content-Length": str(body.size)} if is_declared else {}
    return await service.client.post(
        "/api/v1/batch/table",
        params={"model": publisher.name, "version": "1"},
        content=body.parts(),
        headers={"Content-Type": "text/csv", **declared, **headers},
    )


def table() -> SlowBody:
    return SlowBody(PART, ROWS)


def form(publisher: Publisher) -> SlowBody:
    """Return a form with a text that comes in two parts."""
    head = (
        f'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n{publisher.name}\r\n'
        '--x\r\nContent-Disposition: form-data; name="version"\r\n\r\n1\r\n'
        '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    )
    return SlowBody(head.encode() + ROWS, ROWS + b"\r\n--x--\r\n")


async def post_form(service: Service, body: SlowBody, *, is_declared: bool) -> httpx.Response:
    declared = {"Content-Length": str(body.size)} if is_declared else {}
    return await service.client.post("/api/v1/batch/files", content=body.parts(), headers={**FORM, **declared})


class TestTables:
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_the_second_is_refused_while_the_first_still_comes(
        self,
        service: Service,
        publisher: Publisher,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        is_declared: bool,
    ) -> None:
        before = spooled_files()
        first, second = table(), table()
        coming = asyncio.create_task(post_table(service, publisher, first, is_declared=is_declared))
        await first.begun.wait()
        second.go_on.set()
        refused = await post_table(service, publisher, second, is_declared=is_declared)
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
        self, service: Service, publisher: Publisher, owner: psycopg.Connection
    ) -> None:
        body = SlowBody(PART, ROWS, ROWS)
        body.go_on.set()
        refused = await post_table(service, publisher, body, is_declared=True)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert (body.taken, rows(owner)) == (0, [])

    async def test_what_was_refused_makes_room_at_once(self, service: Service, publisher: Publisher) -> None:
        for _ in range(3):
            broken = SlowBody(b"no,such,columns\xff\n" + ROWS, ROWS)
            broken.go_on.set()
            assert (await post_table(service, publisher, broken, is_declared=True)).status_code == 422
        body = table()
        body.go_on.set()
        assert (await post_table(service, publisher, body, is_declared=True)).status_code == 202

    async def test_so_does_one_whose_sender_goes_away(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        before = spooled_files()
        gone = table()
        coming = asyncio.create_task(post_table(service, publisher, gone, is_declared=True))
        await gone.begun.wait()
        coming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await coming
        assert (bucket.listed(), rows(owner), spooled_files()) == (set(), [], before)
        body = table()
        body.go_on.set()
        assert (await post_table(service, publisher, body, is_declared=True)).status_code == 202

    async def test_a_repeated_request_gets_its_answer_though_there_is_no_room(
        self, service: Service, publisher: Publisher, bucket: Bucket
    ) -> None:
        once = {"Idempotency-Key": uuid4().hex}
        answers = []
        for _ in range(2):
            body = table()
            body.go_on.set()
            answers.append(await post_table(service, publisher, body, is_declared=True, **once))
        assert [answer.status_code for answer in answers] == [202, 202]
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert len(bucket.listed()) == 1


class TestForms:
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_the_second_is_refused_before_it_was_read_whole(
        self,
        service: Service,
        publisher: Publisher,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        is_declared: bool,
    ) -> None:
        before = spooled_files()
        first, second = form(publisher), form(publisher)
        coming = asyncio.create_task(post_form(service, first, is_declared=is_declared))
        await first.begun.wait()
        second.go_on.set()
        refused = await post_form(service, second, is_declared=is_declared)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded"), refused.text
        assert second.taken < second.size
        assert (bucket.listed(), not coming.done()) == (set(), True)
        first.go_on.set()
        answer = await coming
        assert answer.status_code == 202, answer.text
        assert (len(bucket.listed()), rows(owner)) == (1, [(1, 2 * len(ROWS))])
        assert spooled_files() == before

    async def test_one_that_declares_more_than_there_is_room_for_is_not_read(self, service: Service) -> None:
        body = SlowBody(ROWS, ROWS, ROWS, ROWS)
        body.go_on.set()
        refused = await post_form(service, body, is_declared=True)
        assert (refused.status_code, refused.json()["code"], body.taken) == (429, "quota_exceeded", 0)


class TestDisk:
    async def test_uploads_that_do_not_fit_on_it_together_come_one_after_the_other(
        self, environment: dict[str, str], bucket: Bucket, publisher: Publisher, tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with serving(environment, publisher, tmp_path, ML_BATCH_MAX_SPOOL_SIZE=str(QUOTA)) as service:
            first = table()
            coming = asyncio.create_task(post_table(service, publisher, first, is_declared=True))
            await first.begun.wait()
            second = table()
            second.go_on.set()
            refused = await post_table(service, publisher, second, is_declared=True)
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded"), refused.text
            assert (refused.headers["retry-after"], second.taken) == ("1", 0)
            first.go_on.set()
            assert (await coming).status_code == 202
            assert (await post_table(service, publisher, second, is_declared=True)).status_code == 202
            large = SlowBody(PART, ROWS, ROWS)
            never = await post_table(service, publisher, large, is_declared=True)
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
