"""Uploads over a real connection: both sides talk at once, and clients that do not listen or leave."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from mlplatform.service.runner import server_config
from tests.fixtures.listener import listening
from tests.integration.embedding.waiting import DEADLINE, eventually
from tests.integration.search.test_bulk import Uploader, line


class Connection:
    """One upload, sent and read by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def begin(self, headers: dict[str, str], name: str) -> None:
        sent = headers | {
            "Host": "search",
            "Content-Type": "application/x-ndjson",
            "Transfer-Encoding": "chunked",
            "Idempotency-Key": name,
        }
        head = "".join(f"{key}: {value}\r\n" for key, value in sent.items())
        self._writer.write(f"POST /api/v1/index/bulk HTTP/1.1\r\n{head}\r\n".encode())
        await self._writer.drain()

    async def send(self, content: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(content), content))
        await asyncio.wait_for(self._writer.drain(), DEADLINE)

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def told(self) -> dict[str, Any]:
        """Return the next line of JSON, over headers and the sizes of chunks."""
        while True:
            read = await asyncio.wait_for(self._reader.readline(), DEADLINE)
            assert read, "the service closed the connection"
            if read.startswith(b"{"):
                return dict(json.loads(read))

    async def acknowledged(self, lines: int) -> None:
        while (await self.told()).get("acknowledged", 0) < lines:
            pass

    def break_off(self) -> None:
        self._writer.transport.abort()


@pytest.fixture
async def port(app, settings) -> AsyncIterator[int]:
    with listening() as listener:
        config = server_config(lambda: app, settings, 0)
        config.lifespan = "off"
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await eventually(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.fixture
async def connection(port) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Connection(reader, writer)
    writer.transport.abort()


@pytest.mark.usefixtures("space")
class TestConnection:
    async def test_lines_are_acknowledged_while_more_come(self, connection, api):
        await connection.begin(api.headers, "mine")
        await connection.send(line("1") + line("2"))
        await connection.acknowledged(2)
        assert (await api.get("2")).status_code == 200

        await connection.send(line("3"))
        await connection.end()

        await connection.acknowledged(3)

    async def test_of_a_client_that_leaves_exactly_the_lines_it_can_ask_for_are_stored(self, connection, api, client):
        sent = [line(str(number)) for number in range(1, 1201)]
        await connection.begin(api.headers, "mine")
        await connection.send(b"".join(sent[:1000]))
        await connection.acknowledged(1)
        await connection.send(b"".join(sent[1000:])[:-20])
        connection.break_off()
        uploader = Uploader(client, api.headers)
        app_uploads = client._transport.app.state.uploads
        await eventually(lambda: not app_uploads._slots._taken)

        state = (await uploader.state("mine")).json()
        stored = state["acknowledged"]

        assert (state["stored"], state["complete"]) == (stored, False)
        assert 1 <= stored < 1200
        assert (await api.get(str(stored))).status_code == 200
        assert (await api.get(str(stored + 1))).status_code == 404
        end = await uploader.end(b"".join(sent), Idempotency_Key="mine")
        assert (end["status"], end["stored"]) == ("complete", 1200)
        assert {(await api.get(str(key))).json()["generation"] for key in (1, stored, stored + 1, 1200)} == {1}

    async def test_a_client_that_reads_nothing_until_it_has_sent_all_is_read_to_the_end(self, connection, api):
        await connection.begin(api.headers, "mine")
        for _ in range(50):
            await connection.send(b"{\n" * 10 + b"\n" * 990)
        await connection.end()

        told = [await connection.told()]
        while "status" not in told[-1]:
            told.append(await connection.told())

        assert (told[-1]["acknowledged"], told[-1]["failed"], told[-1]["status"]) == (50_000, 500, "complete")
        assert sum("line" in each for each in told) == 500
