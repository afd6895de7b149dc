"""Receivers of webhooks on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpcore

OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Receiver:
    """What a receiver saw."""

    port: int = 0
    connections: int = 0
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@asynccontextmanager
async def receiver(
    answer: bytes = OK,
    *,
    first: Iterable[bytes] = (),
    host: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
    endless: bytes = b"",
) -> AsyncIterator[Receiver]:
    """Listen for the time of the block; answer each request with the same bytes, then without end with others.

    Args:
        answer: To each request, but for those of `first`.
        first: Answers to the first requests.
        host: Where to listen.
        context: Of TLS.
        endless: Sent again and again after the answer.
    """
    seen = Receiver()
    before = list(first)
    open_ones: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        seen.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (entry.partition(": ") for entry in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            seen.requests.append((line, headers, body))
            writer.write(before.pop(0) if before else answer)
            while endless:
                writer.write(endless)
                await writer.drain()
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            open_ones.discard(task)

    server = await asyncio.start_server(serve, host, 0, ssl=context)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(open_ones):
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


class Names:
    """A name server: what it answers, one after the other."""

    def __init__(self, *answers: Iterable[str]) -> None:
        self._answers = [list(answer) for answer in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:  # noqa: ARG002 (the guard's shape)
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class Detour(httpcore.AnyIOBackend):
    """A network that leads every connection to loopback, whatever address was asked for."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.asked: list[str] = []

    async def connect_tcp(self, host: str, port: int, *further: object) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        return await super().connect_tcp(self._host, port, *further)
