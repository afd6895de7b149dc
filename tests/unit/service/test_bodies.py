from collections.abc import AsyncIterator

import httpx
import pytest

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
