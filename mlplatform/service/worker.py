"""One of several processes that serve on the same port."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from mlplatform.errors import DependencyUnavailable
from mlplatform.service.acceptor import Acceptor
from mlplatform.service.board import Board
from mlplatform.service.protocol import CLOSE, Protocol
from mlplatform.telemetry.aggregation import SharedMetrics

RETIRE = signal.SIGUSR1
"""Tells a process to take no new connections, and to end once those that it has are gone."""
CHECK = "processes"
REPORT_SECONDS = 5.0
FIRST_REPORT_SECONDS = 0.2
GATE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands among its siblings.

    Attributes:
        index: Its number in the group, from 0.
        generation: The group's number, from 1; a renewal makes the next one.
        board: What the group says of itself.
        folder: Shared by all processes of the service.
        lifeline: A pipe that is closed when the parent dies.
        gated: Whether to serve only once the whole group is ready, as in a renewal.
    """

    index: int
    generation: int
    board: Board
    folder: Path
    lifeline: int
    gated: bool


def run_worker(app: FastAPI, config: uvicorn.Config, listener: socket.socket, place: Place) -> None:
    """Serve until told to stop.

    Args:
        app: The application. `app.state.renewal_wanted`, when it is there, says whether the process would share more
            memory if it were forked anew.
        config: How the server runs.
        listener: The socket, which all processes share.
        place: Which of them this is.
    """
    metrics = SharedMetrics(place.folder, f"{place.generation}-{place.index}-{os.getpid()}", str(place.index))
    app.state.metrics = metrics
    app.router.lifespan_context = _joined(app.router.lifespan_context, place, metrics)
    WorkerServer(config, place).run(sockets=[listener])


class Connections(set[Any]):
    """The open connections of a server, which tell how many they are.

    Args:
        tell: Called with the number after each change.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell

    def add(self, connection: object) -> None:
        """Take one more."""
        super().add(connection)
        self._tell(len(self))

    def discard(self, connection: object) -> None:
        """Forget one that was closed."""
        super().discard(connection)
        self._tell(len(self))


class WorkerServer(uvicorn.Server):
    """Takes its share of the connections, and retires without cutting one that a client keeps open.

    Args:
        config: How the server runs.
        place: Where the process stands among its siblings.
    """

    def __init__(self, config: uvicorn.Config, place: Place) -> None:
        super().__init__(config)
        self._board = place.board
        self._index = place.index
        self._lifeline = place.lifeline
        self._retiring = False
        self._hurried = False
        self.server_state.connections = Connections(partial(self._board.count, self._index))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup([])
        for listener in sockets or []:
            acceptor = Acceptor(listener, self._connect, partial(self._board.is_ahead, self._index))
            self.servers.append(cast("asyncio.Server", acceptor))  # uvicorn closes it, and waits
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(RETIRE, self._retire)
        loop.add_reader(self._lifeline, self._orphaned)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving; when retiring, not before the clients have left."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._lifeline)
        if self._retiring:
            await self._let_clients_leave()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End at once, also when retiring."""
        self._hurried = True
        super().handle_exit(sig, frame)

    def _connect(self) -> Protocol:
        return Protocol(self.config, self.server_state, self.lifespan.state)

    def _retire(self) -> None:
        self._retiring = self.should_exit = True

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self.should_exit = True

    async def _let_clients_leave(self) -> None:
        """Say `Connection: close` with every answer, and wait for the idle connections to time out."""
        for server in self.servers:
            server.close()
        self.config.encoded_headers.append(CLOSE)
        until = monotonic() + self.config.timeout_keep_alive
        while self.server_state.connections and monotonic() < until and not self._hurried:
            await self.on_tick(0)  # the date, and the header
            await asyncio.sleep(0.1)


def _joined(
    lifespan: Callable[[Any], AbstractAsyncContextManager[Any]], place: Place, metrics: SharedMetrics
) -> Callable[[Any], AbstractAsyncContextManager[Any]]:
    """Let a process take part in the group while it lives; a gated one serves once the whole group is ready."""

    @asynccontextmanager
    async def joined(app: FastAPI) -> AsyncIterator[Any]:
        async with lifespan(app) as state, metrics.answering():
            app.state.kernel.health.register(CHECK, lambda: _check(place.board))
            reporter = asyncio.create_task(_report(app, place))
            try:
                if place.gated:
                    await _all_ready(place.board)
                yield state
            finally:
                reporter.cancel()
                place.board.clear(place.index)

    return joined


async def _check(board: Board) -> str:
    waited_for = board.waited_for()
    if waited_for:
        names = ", ".join(map(str, waited_for))
        raise DependencyUnavailable(CHECK, f"Of {board.processes} processes these are not ready: {names}.")
    return f"{board.processes} processes."


async def _report(app: FastAPI, place: Place) -> None:
    while True:
        report = await app.state.kernel.health.report()
        ready = all(check.status != "failed" for name, check in report.checks.items() if name != CHECK)
        wants_renewal = getattr(app.state, "renewal_wanted", lambda: False)()
        place.board.write(place.index, ready=ready, wants_renewal=wants_renewal)
        await asyncio.sleep(REPORT_SECONDS if ready else FIRST_REPORT_SECONDS)


async def _all_ready(board: Board) -> None:
    until = monotonic() + GATE_SECONDS
    while board.waited_for() and monotonic() < until:  # noqa: ASYNC110 (another process writes; no event tells)
        await asyncio.sleep(0.05)
