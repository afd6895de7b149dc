"""Refusals that hold for whoever asks the same."""

import asyncio
from typing import Any

import pytest

from mlplatform.service import holds
from mlplatform.service.holds import LONGEST_SECONDS, LONGEST_TARGET, MOST, Answer, Holds
from tests.unit.service.test_protocol import Echo, read_answer, serve

TARGET = (b"POST", b"/models/a/invocations")


def refusal(request_id: str) -> Answer:
    body = request_id.encode()
    return Answer(503, [(b"content-length", b"%d" % len(body)), (b"retry-after", b"1")], body)


class Refused:
    """Counts, and holds for as long as a test takes."""

    def __init__(self, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(holds, "LONGEST_SECONDS", 60.0)
        self.count = 0
        echo.holds = Holds()
        echo.holds.add(TARGET, 60.0, refusal, self._count)

    def _count(self) -> None:
        self.count += 1


def request(path: str = "/models/a/invocations", *headers: str, body: bytes = b"1") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def talk(port: int, *sent: bytes) -> tuple[list[bytes], list[bytes], bool]:
    """Send requests one after the other on a connection; return heads, bodies and whether it was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heads, bodies = [], []
    for entry in sent:
        writer.write(entry)
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        length = int(heads[-1].lower().split(b"content-length:")[1].split(b"\r\n")[0])
        bodies.append(await reader.readexactly(length))
    try:
        closed = await asyncio.wait_for(reader.read(), 0.2) == b""
    except TimeoutError:
        closed = False
    writer.close()
    return heads, bodies, closed


class TestConnection:
    async def test_same_requests_are_refused_and_others_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            sent = [
                request("/models/a/invocations", "X-Request-ID: r1", body=b"x" * 1000),
                request("/models/b/invocations", body=b"other"),
                request("/models/a/invocations", "X-Request-ID: r2"),
            ]
            heads, bodies, closed = await talk(port, *sent)
        assert [head.split(b" ")[1] for head in heads] == [b"503", b"200", b"503"]
        assert bodies == [b"r1", b"other", b"r2"]
        assert b"retry-after: 1" in heads[0]
        assert (refused.count, closed) == (2, False)

    async def test_a_refusal_names_the_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve() as (echo, port):
            Refused(echo, monkeypatch)
            _, bodies, _ = await talk(port, request(), request(), request("/models/a/invocations", 'X-Request-ID: "'))
        assert {len(body) for body in bodies} == {32}
        assert len(set(bodies)) == 3

    async def test_a_body_in_chunks_is_read_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        chunked = b"POST /models/a/invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            _, bodies, _ = await talk(port, chunked + b"3\r\nabc\r\n0\r\n\r\n", request("/echo", body=b"next"))
        assert (bodies[1], refused.count) == (b"next", 1)

    @pytest.mark.parametrize("cut", [1, 10])
    async def test_a_request_that_is_not_whole_reaches_its_route(
        self, monkeypatch: pytest.MonkeyPatch, cut: int
    ) -> None:
        whole = request(body=b"0123456789")
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(whole[:-cut])
            await asyncio.sleep(0.2)
            writer.write(whole[-cut:])
            body = await read_answer(reader)
            writer.close()
        assert (body, refused.count) == (b"0123456789", 0)

    async def test_what_is_no_http_after_the_headers_is_refused_as_that(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = b"POST /models/a/invocations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            heads, _, closed = await talk(port, broken)
            assert echo.calls == 0
        assert (heads[0].split(b" ")[1], closed, refused.count) == (b"400", True, 0)

    async def test_a_server_that_leaves_closes_after_a_refusal_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve() as (echo, port):
            Refused(echo, monkeypatch)
            echo.server.server_state.default_headers = [(b"connection", b"close")]
            heads, _, closed = await talk(port, request())
        assert (heads[0].count(b"connection: close"), closed) == (1, True)

    async def test_who_does_not_read_is_not_written_to_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(50):
                writer.write(request() * 20)
                await asyncio.sleep(0)
            await asyncio.sleep(0.2)
            writer.transport.abort()
        assert refused.count <= 50  # one for each piece at most; the others wait in the pipeline

    @pytest.mark.parametrize("header", ["X-Model-Version: 3", "Origin: https://a.example", "Expect: 100-continue"])
    async def test_what_asks_for_more_reaches_its_route(self, monkeypatch: pytest.MonkeyPatch, header: str) -> None:
        async with serve() as (echo, port):
            refused = Refused(echo, monkeypatch)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request("/models/a/invocations", header))
            head = await reader.readuntil(b"\r\n\r\n")
            writer.close()
        assert head.split(b" ")[1] in {b"200", b"100"}
        assert refused.count == 0

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    async def test_the_connection_is_closed_for_those_who_want_it(
        self, monkeypatch: pytest.MonkeyPatch, version: bytes
    ) -> None:
        async with serve() as (echo, port):
            Refused(echo, monkeypatch)
            asked = request("/models/a/invocations", "Connection: close").replace(
                b"HTTP/1.1", f"HTTP/{version}".encode()
            )
            heads, _, closed = await talk(port, asked)
        assert (b"connection: close" in heads[0], closed) == (True, True)

    async def test_answers_keep_the_order_of_pipelined_requests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve() as (echo, port):
            Refused(echo, monkeypatch)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request("/echo", body=b"first") + request() + request("/echo", body=b"last"))
            answers = [await read_answer(reader) for _ in range(3)]
            writer.close()
        assert (answers[0], answers[2]) == (b"first", b"last")


class TestHolds:
    def test_a_hold_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [100.0]
        monkeypatch.setattr(holds, "monotonic", lambda: clock[0])
        held = Holds()
        for given, lasts in ((60.0, LONGEST_SECONDS), (LONGEST_SECONDS / 2, LONGEST_SECONDS / 2)):
            held.add(TARGET, given, refusal, lambda: None)
            clock[0] += 0.9 * lasts
            assert held.find(TARGET, []) is not None
            clock[0] += 0.2 * lasts
            assert held.find(TARGET, []) is None
            assert not held

    def test_made_up_targets_do_not_pile_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [100.0]
        monkeypatch.setattr(holds, "monotonic", lambda: clock[0])
        held = Holds()
        for number in range(MOST + 10):
            held.add((b"POST", b"%d" % number), 60.0, refusal, lambda: None)
        assert held.find((b"POST", b"%d" % (MOST + 1)), []) is None
        clock[0] += LONGEST_SECONDS
        held.add(TARGET, 60.0, refusal, lambda: None)
        assert held.find(TARGET, []) is not None

    def test_long_targets_are_not_held(self) -> None:
        held = Holds()
        held.add((b"POST", b"/" + b"a" * LONGEST_TARGET), 60.0, refusal, lambda: None)
        assert not held

    def test_status_line_and_headers_are_written(self) -> None:
        wire: Any = holds.write(refusal("r1"), [(b"date", b"today")])
        assert wire == (
            b"HTTP/1.1 503 Service Unavailable\r\ndate: today\r\ncontent-length: 2\r\nretry-after: 1\r\n\r\nr1"
        )
