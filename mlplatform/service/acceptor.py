"""New connections of a socket that several processes listen on."""

import asyncio
import errno
import socket
from collections.abc import Callable

from structlog import get_logger

ACCEPTS = 16
"""Connections that are accepted in one turn of the loop."""
YIELD_SECONDS = 0.001
"""How long a process that has more connections than another leaves new ones to that."""
RETRY_SECONDS = 1.0
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log = get_logger(__name__)


class Acceptor:
    """Accepts connections for one of several processes, such that each has about as many.

    A new connection wakes all of them, and the first to wake takes every one that comes meanwhile: of two processes one
    served all of 32 clients that connected at once, in every second case. So a process that has more than another waits
    a moment before it takes one, and then takes it if it is still there, for the other may be busy.

    Args:
        listener: The socket, which all processes have.
        connect: Makes what speaks with a client.
        is_ahead: Whether this process has more than its share, given how many it has accepted that are not open yet.
    """

    def __init__(
        self, listener: socket.socket, connect: Callable[[], asyncio.Protocol], is_ahead: Callable[[int], bool]
    ) -> None:
        self._listener = listener
        self._connect = connect
        self._is_ahead = is_ahead
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._share = 1
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept_some)

    def close(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()

    async def wait_closed(self) -> None:
        """Wait until what was accepted is open."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _accept_some(self) -> None:
        for _ in range(ACCEPTS):
            if self._is_ahead(len(self._opening)):
                self._pause(YIELD_SECONDS, self._accept_left)
                return
            self._share = 1
            if not self._accept():
                return

    def _accept_left(self) -> None:
        """Take what nobody else has taken meanwhile, and more each time that others leave it, for they are busy."""
        self._loop.add_reader(self._listener, self._accept_some)
        for _ in range(self._share):
            if not self._accept():
                self._share = 1
                return
        self._share = min(2 * self._share, ACCEPTS)

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(seconds, then)

    def _accept(self) -> bool:
        """Accept a connection; False when there is none."""
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            log.warning("cannot_accept", reason=str(error), retry_seconds=RETRY_SECONDS)
            self._pause(RETRY_SECONDS, self._accept_left)
            return False
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connect, connection)
        except OSError as error:  # the client has left
            log.debug("connection_not_opened", reason=str(error))
            connection.close()
