"""Run a service under uvicorn."""

import socket
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from mlplatform.garbage import collect_seldom
from mlplatform.service.acceptor import ACCEPTS
from mlplatform.service.fault import EXIT_STATUS, Fault
from mlplatform.service.protocol import Protocol
from mlplatform.settings import PlatformSettings
from mlplatform.telemetry import configure_logs

KEEP_ALIVE_SECONDS = 75


def server_config(factory: Callable[[], FastAPI], settings: PlatformSettings, port: int) -> uvicorn.Config:
    """Return how the server runs.

    The loop is uvloop always: on asyncio's own, sockets lack TCP_NODELAY in some set-ups and each request on a
    keep-alive connection takes 44 ms more (https://github.com/Kludex/uvicorn/issues/3149).

    Args:
        factory: Makes the application.
        settings: For the address and the time to drain.
        port: Port to listen on.
    """
    return uvicorn.Config(
        factory,
        factory=True,
        host=settings.host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.shutdown_timeout.total_seconds()),
    )


def run_service(
    factory: Callable[[], FastAPI],
    settings: PlatformSettings,
    port: int,
    *,
    name: str = "ml-platform",
    fault: Fault | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or a fault; then refuse new connections and finish the requests in flight.

    Args:
        factory: Makes the application.
        settings: Settings of the service.
        port: Port to listen on.
        name: The service's name in logs.
        fault: Reported by the application when it cannot go on.

    Raises:
        SystemExit: With `EXIT_STATUS`, after a fault.
    """
    configure_logs(settings, name)
    config = server_config(factory, settings, port)
    server = uvicorn.Server(config)

    def stop() -> None:
        server.should_exit = True

    fault = fault or Fault()
    fault.attach(stop)
    collect_seldom()
    server.run(sockets=accepting(config.bind_socket()))
    if fault.has_happened:
        sys.exit(EXIT_STATUS)


def accepting(listener: socket.socket) -> list[socket.socket]:
    """Return a listening socket so often that a busy server takes new connections as fast as they come.

    uvloop accepts one connection for each listening descriptor in a turn of the loop. A server that answers hundreds of
    requests in a turn would leave new connections in the backlog for seconds.
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTS - 1))]
