import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from mlplatform.service import body_timeout
from mlplatform.settings import PlatformSettings
from tests.unit.service.conftest import make_app

JSON = {"Content-Type": "application/json"}


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code


class TestJson:
    async def test_valid(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/sums", json={"values": [1, 2.5]})).json() == 3.5

    @pytest.mark.parametrize(
        "body", [b"{", b"", b'{"values":[NaN]}', b'{"values":[Infinity]}', b'{"values":["\xff"]}', b"[" * 1000]
    )
    async def test_no_json(self, client: httpx.AsyncClient, body: bytes) -> None:
        response = await client.post("/sums", content=body, headers=JSON)
        assert response.status_code == (400 if body else 422)
        assert response.headers["Content-Type"] == "application/problem+json"

    async def test_wrong_field(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/sums", json={"values": [1, "patient-4711"]})
        assert_problem(response, 422, "unprocessable")
        assert response.json()["errors"][0]["field"] == "body.values.1"
        assert "4711" not in response.text

    async def test_answer_has_null_for_what_json_cannot_say(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/gaps")).json() == {"values": [1.0, None, None], "5": "five"}


class TestContentType:
    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""]
    )
    async def test_refused(self, client: httpx.AsyncClient, kind: str) -> None:
        response = await client.post("/sums", content=b'{"values":[1]}', headers={"Content-Type": kind})
        assert_problem(response, 415, "unsupported_media_type")

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.example+json"]
    )
    async def test_accepted(self, client: httpx.AsyncClient, kind: str) -> None:
        response = await client.post("/sums", content=b'{"values":[1]}', headers={"Content-Type": kind})
        assert response.status_code == 200


class TestBodyLimit:
    async def test_body_of_the_limit(self, client: httpx.AsyncClient) -> None:
        body = b'{"values":[1]}'.ljust(1024)
        assert (await client.post("/sums", content=body, headers=JSON)).status_code == 200

    async def test_declared_length(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/sums", content=b'{"values":[1]}'.ljust(1025), headers=JSON)
        assert_problem(response, 413, "payload_too_large")
        assert response.headers["Connection"] == "close"

    async def test_route_that_reads_in_parts_takes_any_length(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/lengths", content=bytes(5000))).json() == 5000

    async def test_chunked_body_is_not_read_to_its_end(self, client: httpx.AsyncClient) -> None:
        sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 1000:
                sent += 1
                yield b" " * 100

        response = await client.post("/sums", content=endless(), headers=JSON)
        assert_problem(response, 413, "payload_too_large")
        assert sent < 20


class TestBodiesInFlight:
    @pytest.mark.parametrize("declared", [True, False])
    async def test_one_too_many_is_refused_until_another_is_answered(self, declared: bool) -> None:
        entered, opened = asyncio.Event(), asyncio.Event()

        async def stalled() -> AsyncIterator[bytes]:
            yield b'{"values":'.ljust(600)
            entered.set()
            await opened.wait()
            yield b"[1]}"

        async def parts() -> AsyncIterator[bytes]:
            yield b'{"values":'
            yield b"[1]}".ljust(600)

        def body() -> Any:
            return b'{"values":[1]}'.ljust(600) if declared else parts()

        transport = httpx.ASGITransport(make_app(PlatformSettings(max_body_bytes_in_flight=1000)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            holding = asyncio.create_task(client.post("/sums", content=stalled(), headers=JSON))
            await entered.wait()
            refused = await client.post("/sums", content=body(), headers=JSON)
            opened.set()
            assert (await holding).json() == 1
            assert (await client.post("/sums", content=body(), headers=JSON)).json() == 1
        assert_problem(refused, 503, "overloaded")
        assert (refused.headers["Connection"], refused.headers["Retry-After"]) == ("close", "1")


class TestBodyTimeout:
    async def test_a_body_that_stalls_is_given_up(self) -> None:
        async def stalled() -> AsyncIterator[bytes]:
            yield b'{"values":'
            await asyncio.Event().wait()

        settings = PlatformSettings(body_timeout=timedelta(milliseconds=50))
        transport = httpx.ASGITransport(make_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            response = await client.post("/sums", content=stalled(), headers=JSON)
        assert_problem(response, 408, "request_timeout")
        assert response.headers["Connection"] == "close"

    async def test_a_body_that_drips_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def dripping() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.01)
                yield b" "

        monkeypatch.setattr(body_timeout, "LEAST_RATE", 1024 * 100)  # the largest body has 10 ms more
        settings = PlatformSettings(body_timeout=timedelta(milliseconds=200), max_body_size=1024)
        transport = httpx.ASGITransport(make_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            response = await client.post("/sums", content=dripping(), headers=JSON)
        assert_problem(response, 408, "request_timeout")
