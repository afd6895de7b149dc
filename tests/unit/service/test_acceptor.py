"""Connections that come to several processes."""

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest
import uvloop

from mlplatform.service import acceptor
from mlplatform.service.acceptor import ACCEPTS, Acceptor
from mlplatform.service.board import Board

CLIENTS = 32


class Greeter(asyncio.Protocol):
    """Says hello."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        self._opened = opened

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Greet."""
        self._opened(transport.get_extra_info("socket"))
        transport.write(b"hello")
        transport.close()


class Sibling:
    """One of the processes, as a loop in a thread of its own."""

    def __init__(self, listener: socket.socket, board: Board, index: int) -> None:
        self._listener, self._board, self._index = listener, board, index
        self.connections = 0
        self.undelayed = True
        self.listening, self.done = Event(), Event()
        board.write(index, ready=True, wants_renewal=False)

    def run(self, busy: float) -> None:
        """Accept until done; busy is for how many seconds the loop does something else first."""
        uvloop.run(self._serve(busy))

    async def _serve(self, busy: float) -> None:
        with self._listener.dup() as listener:
            acceptor = Acceptor(listener, lambda: Greeter(self._open), partial(self._board.is_ahead, self._index))
            self.listening.set()
            time.sleep(busy)  # noqa: ASYNC251 (as a model that computes on the loop)
            while not self.done.is_set():  # noqa: ASYNC110 (another thread sets it)
                await asyncio.sleep(0.005)
            acceptor.close()
            await acceptor.wait_closed()

    def _open(self, connection: socket.socket) -> None:
        self.connections += 1
        self.undelayed &= bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        self._board.count(self._index, self.connections)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket as the supervisor makes it."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as made:
        yield made


def serve(listener: socket.socket, board: Board, busy: tuple[float, ...], clients: int) -> list[Sibling]:
    """Let clients connect at once, and return the siblings when all clients are greeted."""
    siblings = [Sibling(listener, board, index) for index in range(len(busy))]
    with ThreadPoolExecutor(len(busy)) as pool:
        runs = [pool.submit(sibling.run, seconds) for sibling, seconds in zip(siblings, busy, strict=True)]
        try:
            assert all(sibling.listening.wait(5) for sibling in siblings)
            connections = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(clients)]
            greetings = {connection.recv(5) for connection in connections}
        finally:
            for sibling in siblings:
                sibling.done.set()
            for run in runs:
                run.result(timeout=5)
    for connection in connections:
        connection.close()
    assert greetings == {b"hello"}
    return siblings


class TestAcceptor:
    def test_clients_that_connect_at_once_are_shared_out(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Else one that the system lets wait for some milliseconds counts as busy.
        monkeypatch.setattr(acceptor, "YIELD_SECONDS", 0.05)
        siblings = serve(listener, Board(2), (0, 0), CLIENTS)
        first, second = (sibling.connections for sibling in siblings)
        assert first + second == CLIENTS
        assert abs(first - second) <= CLIENTS // 4

    def test_a_busy_process_lets_nobody_wait(self, listener: socket.socket) -> None:
        idle, busy = serve(listener, Board(2), (0, 1), CLIENTS)
        assert idle.connections + busy.connections == CLIENTS
        assert idle.connections > busy.connections

    def test_a_process_that_ended_is_not_left_anything(self, listener: socket.socket) -> None:
        board = Board(2)
        board.write(1, ready=True, wants_renewal=False)
        board.clear(1)
        assert not board.is_ahead(0, 10 * ACCEPTS)
        (alone,) = serve(listener, board, (0,), 4 * ACCEPTS)
        assert alone.connections == 4 * ACCEPTS

    def test_what_busy_siblings_leave_is_taken_in_growing_parts(self, listener: socket.socket) -> None:
        looks: list[int] = []

        def is_ahead(opening: int) -> bool:
            looks.append(opening)
            return True

        async def serve_ahead() -> set[bytes]:
            acceptor = Acceptor(listener, lambda: Greeter(lambda _: None), is_ahead)
            loop = asyncio.get_running_loop()
            greetings = {await loop.sock_recv(client, 5) for client in clients}
            acceptor.close()
            await acceptor.wait_closed()
            return greetings

        clients = [socket.create_connection(listener.getsockname(), timeout=5) for _ in range(4 * ACCEPTS)]
        for client in clients:
            client.setblocking(False)
        assert uvloop.run(serve_ahead()) == {b"hello"}
        for client in clients:
            client.close()
        assert len(looks) < ACCEPTS

    def test_small_answers_are_sent_at_once(self, listener: socket.socket) -> None:
        (alone,) = serve(listener, Board(1), (0,), 1)
        assert alone.undelayed

    def test_clients_are_served_when_there_are_descriptors_again(self, listener: socket.socket) -> None:
        connected = socket.create_connection(listener.getsockname(), timeout=5)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

        async def serve_scarcely() -> bytes:
            acceptor = Acceptor(listener, lambda: Greeter(lambda _: None), lambda _: False)
            loop = asyncio.get_running_loop()
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (connected.fileno(), hard))
                await asyncio.sleep(0.1)
                connected.setblocking(False)
                with pytest.raises(BlockingIOError):
                    connected.recv(5)
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                return await asyncio.wait_for(loop.sock_recv(connected, 5), 5)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                acceptor.close()
                await acceptor.wait_closed()

        with connected:
            assert uvloop.run(serve_scarcely()) == b"hello"


class TestShares:
    def test_a_process_may_have_an_eighth_more_and_one(self) -> None:
        board = Board(2)
        for index, connections in enumerate((18, 16)):
            board.write(index, ready=True, wants_renewal=False)
            board.count(index, connections)
        assert not board.is_ahead(0, 1)
        assert board.is_ahead(0, 2)
        assert not board.is_ahead(1, 4)
