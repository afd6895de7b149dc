"""One keep-alive connection, one request at a time, with as little work per request as Python allows."""

import asyncio
from collections.abc import Callable, Mapping

END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
CHUNKED = b"\r\ntransfer-encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"
BROKEN = 0
"""Stands for the status of a request whose connection ended before its answer."""


def render(path: str, port: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Lane(asyncio.Protocol):
    """A connection.

    Args:
        answered: Called with this lane, the status and the body of each answer; the status is `BROKEN` when the
            connection ended instead.
    """

    def __init__(self, answered: Callable[["Lane", int, bytes], None]) -> None:
        self._answered = answered
        self._received = b""
        self._waiting = False
        self._transport: asyncio.Transport | None = None
        self.due = 0.0
        self.is_open = False

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a time; latency counts from then."""
        self.due = due
        self._waiting = True
        self._received = b""
        self._transport.write(request)

    def close(self) -> None:
        """End the connection; a request on its way is given up in silence."""
        self._waiting = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Be ready."""
        self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._received += data
        whole = split(self._received)
        if whole is not None and self._waiting:
            self._waiting = False
            self._answered(self, *whole)

    def connection_lost(self, _: Exception | None) -> None:
        """Report a request that will get no answer."""
        self.is_open = False
        if self._waiting:
            self._waiting = False
            self._answered(self, BROKEN, b"")


def split(received: bytes) -> tuple[int, bytes] | None:
    """Return status and body of an answer, or None while it is incomplete."""
    end = received.find(END)
    if end < 0:
        return None
    head = received[: end + 2].lower()
    body = received[end + len(END) :]
    at = head.find(LENGTH)
    if at >= 0:
        start = at + len(LENGTH)
        if len(body) < int(head[start : head.index(b"\r\n", start)]):
            return None
    elif CHUNKED in head:
        if not body.endswith(LAST_CHUNK):
            return None
        body = _join(body)
    return int(received[9:12]), body


def _join(chunks: bytes) -> bytes:
    parts = []
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        chunks = rest[length + 2 :] if length else b""
    return b"".join(parts)
