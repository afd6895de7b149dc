"""One attempt to deliver."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import timedelta

import httpcore

from services.model_serving.batch.webhook.errors import DeliveryError, RefusedAddressError
from services.model_serving.batch.webhook.guard import GuardedBackend, Resolve, resolve
from services.model_serving.batch.webhook.networks import Networks
from services.model_serving.batch.webhook.target import Target

GONE = 410
REDIRECTS = range(300, 400)
DELIVERED = range(200, 300)
UNREACHABLE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, ValueError)
"""What a receiver, its name or its certificate can bring about; none of it may end the loop that delivers."""


class Sender:
    """Posts to receivers. Each attempt has a connection of its own, no proxy, no cookies and no redirects.

    Of the answer only the status is read: whatever else a receiver sends nobody waits for, stores or shows.

    Args:
        networks: Which addresses are permitted.
        timeout: From looking the name up to the status.
        resolve: Looks names up.
        inner: Connects to addresses.
        context: Trusts certificates; the system's unless given.
    """

    def __init__(
        self,
        networks: Networks,
        *,
        timeout: timedelta,
        resolve: Resolve = resolve,
        inner: httpcore.AsyncNetworkBackend | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = networks
        self._timeout = timeout.total_seconds()
        self._resolve = resolve
        self._inner = inner
        self._context = context

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> None:
        """Deliver; a status of 2xx says that it was.

        Raises:
            DeliveryError: It was not, as far as anybody can say.
        """
        try:
            async with asyncio.timeout(self._timeout):
                status = await self._status(target, headers, body)
        except TimeoutError:
            raise DeliveryError(f"the receiver did not answer within {self._timeout:g} s") from None
        except RefusedAddressError:
            raise DeliveryError("the address leads into a private or reserved network") from None
        except UNREACHABLE as error:
            raise DeliveryError(f"the receiver could not be reached: {type(error).__name__}") from None
        if status in REDIRECTS:
            raise DeliveryError(f"the receiver answered with a redirect ({status}), which is not followed")
        if status not in DELIVERED:
            raise DeliveryError(f"the receiver answered {status}", for_good=status == GONE)

    async def _status(self, target: Target, headers: Mapping[str, str], body: bytes) -> int:
        encrypted = target.scheme == "https"
        backend = GuardedBackend(self._networks, encrypted=encrypted, resolve=self._resolve, inner=self._inner)
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        sent = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close", **headers}
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._context, network_backend=backend, max_connections=1, max_keepalive_connections=0
            ) as pool,
            pool.stream(
                "POST", url, headers=[(name.encode(), value.encode()) for name, value in sent.items()], content=body
            ) as answer,
        ):
            return answer.status
