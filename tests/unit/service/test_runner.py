"""New connections while the server is busy."""

import asyncio
import socket

import uvloop

from mlplatform.service.runner import ACCEPTS, accepting

WAITING = 8 * ACCEPTS


async def turns_to_accept(listeners: list[socket.socket], waiting: int) -> int:
    """Connect at once, and count the turns of the loop until all connections are accepted."""
    accepted = 0

    class Counter(asyncio.Protocol):
        def connection_made(self, _: asyncio.BaseTransport) -> None:
            nonlocal accepted
            accepted += 1

    clients = [socket.create_connection(listeners[0].getsockname()) for _ in range(waiting)]
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Counter, sock=listener) for listener in listeners]
    turns = 0
    try:
        while accepted < waiting:
            turns += 1
            await asyncio.sleep(0)
            assert turns < 100 * waiting, f"{accepted} of {waiting} accepted"
    finally:
        for server in servers:
            server.close()
        for client in clients:
            client.close()
    return turns


def test_connections_that_came_while_the_loop_was_busy_are_accepted_many_in_a_turn() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=WAITING) as listener:
        turns = uvloop.run(turns_to_accept(accepting(listener), WAITING))
    assert turns <= WAITING // ACCEPTS + 8
