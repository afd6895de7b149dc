"""Connections that lead nowhere but to the addresses that are permitted.

A name is looked up once for each connection, and the connection goes to one of the addresses that came of it: between
the look and the connection there is no second answer of the name server (DNS rebinding). When the socket is connected
its own peer is asked for, which holds whatever lies between, and before a byte is sent.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import httpcore

from services.model_serving.batch.webhook.errors import RefusedAddressError
from services.model_serving.batch.webhook.networks import Networks

MOST_ADDRESSES = 4
"""Addresses of a name that are tried."""

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the order of the system.

    Raises:
        OSError: It has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens the connections of an HTTP client.

    Args:
        networks: Which addresses are permitted.
        encrypted: Whether TLS follows; without it only networks that the operator allows are called.
        resolve: Looks names up.
        inner: Connects to addresses.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        encrypted: bool,
        resolve: Resolve = resolve,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._permits = networks.permits if encrypted else networks.allows
        self._resolve = resolve
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the signature is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that is permitted and answers.

        Raises:
            RefusedAddressError: None is permitted, or the peer is another one.
            httpcore.ConnectError: The name has no address, or nobody answers.
            httpcore.ConnectTimeout: Nobody answers in time.
        """
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name has no address") from error
        permitted = [address for address in addresses if self._permits(address)]
        if not permitted:
            raise RefusedAddressError
        failure: Exception = httpcore.ConnectError("nobody answers")
        for address in permitted[:MOST_ADDRESSES]:
            try:
                stream = await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            await self._check_peer(stream)
            return stream
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 (the signature is httpcore's)
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 (as above)
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no address names a socket of this machine."""
        raise RefusedAddressError(path)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)

    async def _check_peer(self, stream: httpcore.AsyncNetworkStream) -> None:
        try:
            peer = stream.get_extra_info("socket").getpeername()
        except OSError as error:
            await stream.aclose()
            raise httpcore.ConnectError("the connection was closed at once") from error
        if not self._permits(str(peer[0])):
            await stream.aclose()
            raise RefusedAddressError
