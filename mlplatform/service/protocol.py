"""HTTP as uvicorn speaks it, a few requests at a time."""

import asyncio
from collections import deque
from typing import cast
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mlplatform.service.corked import Corked
from mlplatform.service.holds import Hold, Holds, write
from mlplatform.service.leaving import leave
from mlplatform.service.request_context import REQUEST_ID_BYTES, request_id_of

CLOSE = (b"connection", b"close")
WAVE = 16
"""Requests that are begun in one turn of the loop."""
LARGE = 16 * 1024
"""Bytes; a connection that sends so many at once is not read from before they had their turn."""
MOST_DEFERRED = 2
"""Pieces of one connection that wait; it is not read from before they had their turn."""


class Waves:
    """What was received and waits for its turn. One for each server.

    A busy loop finds hundreds of connections readable in one turn. Each step of answering would then be done for all
    of them before the next step, and what one step leaves in the processor's caches would be gone by the next: a
    request took 30 % longer over 1536 busy connections than over 32.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._later: deque[tuple[Protocol, bytes]] = deque()
        self._begun = 0

    def receive(self, protocol: "Protocol", data: bytes) -> None:
        """Begin with what was received, or keep it for a later turn."""
        if self._begun < WAVE and not self._later:
            if not self._begun:
                self._loop.call_soon(self._turn)
            self._begun += 1
            protocol.begin(data)
            return
        protocol.defer(data)
        self._later.append((protocol, data))

    def _turn(self) -> None:
        self._loop.call_soon(self._next)  # behind what this wave has begun

    def _next(self) -> None:
        self._begun = min(WAVE, len(self._later))
        if self._begun:
            self._loop.call_soon(self._turn)
        for _ in range(self._begun):
            protocol, data = self._later.popleft()
            protocol.resume(data)


_waves: WeakKeyDictionary[ServerState, Waves] = WeakKeyDictionary()


class Protocol(HttpToolsProtocol):
    """A connection whose requests wait for their turn, and whose refusals may cost nearly nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a new connection."""
        waves = _waves.get(self.server_state)
        if waves is None:
            waves = _waves[self.server_state] = Waves(self.loop)
        self._receive = waves.receive
        self._holds: Holds | None = getattr(self.app, "holds", None)
        self._hold: Hold | None = None
        self._parts: list[bytes] = []
        self._may_refuse = self._ended = False
        self._deferred = 0
        self._leaves = self._paused = False
        super().connection_made(cast("asyncio.Transport", Corked(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client."""
        self._receive(self, data)

    def defer(self, data: bytes) -> None:
        """Be ready to wait."""
        self._deferred += 1
        self._unset_keepalive_if_required()
        if (len(data) > LARGE or self._deferred >= MOST_DEFERRED) and not self.flow.read_paused:
            self.flow.pause_reading()
            self._paused = True

    def resume(self, data: bytes) -> None:
        """Begin with what has waited."""
        self._deferred -= 1
        if self._paused and not self._deferred:
            self._paused = False
            self.flow.resume_reading()
        try:
            self.begin(data)
        except BaseException:  # as the loop does with a connection whose `data_received` raises
            self.transport.abort()
            raise
        if self._leaves and not self._deferred:
            super().shutdown()

    def begin(self, data: bytes) -> None:
        """Parse, and begin with the request, or refuse it if it is whole."""
        if self.parser is None or self.transport.is_closing():
            return  # the client would not be answered
        self._may_refuse = bool(self._holds)
        super().data_received(data)
        if self._hold is not None and not self.transport.is_closing():  # it closes when what follows is no HTTP
            self._let_pass()

    def on_headers_complete(self) -> None:
        """Begin with the request, unless a refusal holds for it."""
        self._hold = self._find_hold() if self._may_refuse else None
        if self._hold is None and not self._ended:
            self._unset_keepalive_if_required()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._hold is not None:
            self._parts.append(body)
        elif not self._ended:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer a request that is refused, or say that its body is whole."""
        if self._hold is not None:
            self._refuse(self._hold)
        elif not self._ended:
            super().on_message_complete()

    def _find_hold(self) -> Hold | None:
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if self._holds is None or is_busy or self._ended or self.flow.write_paused:
            return None
        if self.expect_100_continue or self.parser.should_upgrade():
            return None
        return self._holds.find((self.parser.get_method(), self.url), self.headers)

    def _refuse(self, hold: Hold) -> None:
        self._hold = None
        self._parts.clear()
        self._may_refuse = False  # one for each piece, for this one was no wait
        given = next((value for name, value in self.headers if name == REQUEST_ID_BYTES), None)
        usual = self.server_state.default_headers
        wanted = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        more = [*usual, CLOSE] if not wanted and CLOSE not in usual else usual
        self.transport.write(write(hold.answer(request_id_of(given)), more))
        hold.count()
        self._ended = CLOSE in more
        if self._ended:
            self.transport.close()
        self.on_response_complete()

    def _let_pass(self) -> None:
        """Leave a request that is not whole to its route, whose limits of size and time it needs."""
        self._hold = None
        super().on_headers_complete()
        if self._parts:
            super().on_body(b"".join(self._parts))
            self._parts.clear()

    def shutdown(self) -> None:
        """Close the connection when the request in flight is answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            leave(self.cycle.scope)
        if self._deferred:
            self._leaves = True
        else:
            super().shutdown()
