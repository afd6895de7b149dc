"""Many requests at a time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import uvicorn

from mlplatform.service.corked import SMALL, Corked
from mlplatform.service.holds import Holds
from mlplatform.service.protocol import LARGE, WAVE, Protocol, Waves

MANY = 5 * WAVE


class Connection:
    """Notes what it is told."""

    def __init__(self, log: list[tuple[str, bytes]]) -> None:
        self._log = log

    def begin(self, data: bytes) -> None:
        self._log.append(("begin", data))

    def defer(self, data: bytes) -> None:
        self._log.append(("defer", data))

    def resume(self, data: bytes) -> None:
        self._log.append(("resume", data))


class TestWaves:
    async def test_each_turn_begins_with_a_few_in_the_order_of_arrival(self) -> None:
        log: list[tuple[str, bytes]] = []
        waves, connection = Waves(asyncio.get_running_loop()), cast("Protocol", Connection(log))
        sent = [str(number).encode() for number in range(MANY)]
        for data in sent:
            waves.receive(connection, data)
        assert [kind for kind, _ in log] == ["begin"] * WAVE + ["defer"] * (MANY - WAVE)
        log = [entry for entry in log if entry[0] == "begin"]
        connection._log = log
        for _ in range(MANY):
            before = len(log)
            await asyncio.sleep(0)
            assert len(log) - before <= WAVE
        assert [data for _, data in log] == sent

    async def test_a_turn_later_there_is_room_again(self) -> None:
        log: list[tuple[str, bytes]] = []
        waves, connection = Waves(asyncio.get_running_loop()), cast("Protocol", Connection(log))
        for _ in range(3):
            for _ in range(WAVE):
                waves.receive(connection, b"")
            for _ in range(4):
                await asyncio.sleep(0)
        assert {kind for kind, _ in log} == {"begin"}


class Echo:
    """Answers with the body of the request."""

    def __init__(self) -> None:
        self.server: uvicorn.Server
        self.holds = Holds()
        self.leaves = False
        self.calls = 0

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if self.leaves:
            for connection in list(self.server.server_state.connections):
                connection.shutdown()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serve() -> AsyncIterator[tuple[Echo, int]]:
    echo = Echo()
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    config = uvicorn.Config(
        echo, port=0, http=Protocol, lifespan="off", log_config=None, access_log=False, proxy_headers=False
    )
    echo.server = uvicorn.Server(config)
    serving = asyncio.create_task(echo.server.serve())
    while not echo.server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    yield echo, echo.server.servers[0].sockets[0].getsockname()[1]
    echo.server.should_exit = True
    await serving
    assert faults == []


def let_all_arrive() -> None:
    """Hold up the loop, so that it finds all connections readable in one turn."""
    time.sleep(0.05)


def request(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))


class TestConnections:
    async def test_all_that_send_at_once_get_their_own_answers(self) -> None:
        async with serve() as (_, port):
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
            for turn in range(3):
                for number, (_, writer) in enumerate(clients):
                    writer.write(request(b"%d of %d" % (number, turn)))
                let_all_arrive()
                answers = await asyncio.gather(*(read_answer(reader) for reader, _ in clients))
                assert answers == [b"%d of %d" % (number, turn) for number in range(MANY)]
            for _, writer in clients:
                writer.close()

    async def test_pieces_of_a_request_keep_their_order(self) -> None:
        body = b"".join(b"%05d" % number for number in range(2000))
        async with serve() as (_, port):
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
            sent = request(body)
            for start in range(0, len(sent), 1000):
                for _, writer in clients:
                    writer.write(sent[start : start + 1000])
                await asyncio.sleep(0)
            assert await asyncio.gather(*(read_answer(reader) for reader, _ in clients)) == [body] * MANY
            for _, writer in clients:
                writer.close()

    async def test_a_connection_with_pieces_that_wait_is_not_read_from(self) -> None:
        async with serve() as (echo, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            while not echo.server.server_state.connections:  # noqa: ASYNC110 (uvicorn has no event for it)
                await asyncio.sleep(0.01)
            (connection,) = cast("set[Protocol]", echo.server.server_state.connections)
            connection.defer(b"P")
            assert not connection.flow.read_paused
            connection.defer(b"O")
            assert connection.flow.read_paused
            connection.resume(b"P")
            assert connection.flow.read_paused
            connection.resume(b"O")
            assert not connection.flow.read_paused
            writer.close()

    async def test_long_bodies_arrive_whole_among_many_requests(self) -> None:
        body = bytes(range(256)) * (LARGE // 16)
        async with serve() as (_, port):
            limits = httpx.Limits(max_connections=MANY)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=60) as client:
                sent = [body[number:] if number % 10 == 0 else b"%d" % number for number in range(MANY)]
                answers = await asyncio.gather(*(client.post("/", content=entry) for entry in sent))
        assert [answer.content for answer in answers] == sent

    async def test_requests_that_wait_are_answered_when_the_server_leaves(self) -> None:
        async with serve() as (echo, port):
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
            echo.leaves = True
            for number, (_, writer) in enumerate(clients):
                writer.write(request(b"%d" % number))
            let_all_arrive()
            answers = await asyncio.gather(*(read_answer(reader) for reader, _ in clients))
            assert answers == [b"%d" % number for number in range(MANY)]
            assert [await reader.read() for reader, _ in clients] == [b""] * MANY
            for _, writer in clients:
                writer.close()

    async def test_clients_that_leave_while_they_wait_harm_nobody(self) -> None:
        async with serve() as (_, port):
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MANY)]
            for number, (_, writer) in enumerate(clients):
                writer.write(request(b"%d" % number))
                if number % 2:
                    writer.transport.abort()
            let_all_arrive()
            answers = await asyncio.gather(*(read_answer(reader) for reader, _ in clients[::2]))
            assert answers == [b"%d" % number for number in range(0, MANY, 2)]
            for _, writer in clients[::2]:
                writer.close()


class Wire(asyncio.Transport):
    """Notes what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.sent.append(bytes(data))

    def writelines(self, data: Any) -> None:
        self.sent.append(b"".join(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class TestCorked:
    async def test_head_and_body_leave_together(self) -> None:
        for body in (b"body", b"x" * (SMALL + 1)):
            wire = Wire()
            corked = Corked(wire, asyncio.get_running_loop())
            corked.write(b"head ")
            corked.write(body)
            assert wire.sent == [b"head " + body]

    async def test_what_stays_alone_leaves_with_the_next_turn(self) -> None:
        wire = Wire()
        corked = Corked(wire, asyncio.get_running_loop())
        for part in (b"1", b"2", b"3"):
            corked.write(part)
        await asyncio.sleep(0)
        assert b"".join(wire.sent) == b"123"

    async def test_closing_sends_first(self) -> None:
        wire = Wire()
        corked = Corked(wire, asyncio.get_running_loop())
        corked.write(b"last words")
        corked.close()
        await asyncio.sleep(0)
        assert (wire.sent, wire.closed) == ([b"last words"], True)
