"""A connection that sends head and body of a small answer together."""

import asyncio

SMALL = 64 * 1024
"""Bytes; what is longer is not copied."""


class Corked:
    """A transport that holds what is written until more is written or the loop comes round, whichever is first.

    uvicorn writes the head of an answer, and then its body, and uvloop hands each to the kernel at once: two calls, two
    packets, and a client that wakes up twice.

    Args:
        transport: Of the connection.
        loop: That it lives on.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.is_closing = transport.is_closing
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write, soon."""
        held = self._held
        if not held:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)
            return
        self._held = b""
        if len(data) <= SMALL:
            self._transport.write(held + data)
        else:
            self._transport.writelines((held, data))

    def close(self) -> None:
        """Close, when all that was written is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            if not self.is_closing():  # the client may have left
                self._transport.write(held)
