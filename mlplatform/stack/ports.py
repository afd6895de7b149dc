"""Ports: which are free, and who holds one that is not."""

import random
import socket
from collections.abc import Collection

import psutil

# Below the range that Linux and macOS hand out to outgoing connections, so that none of those sits on our port.
BACKING = range(20_000, 32_000)
ATTEMPTS = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do; else a port whose last connections are still closing would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_port(taken: Collection[int]) -> int:
    """Return a free port that is not among `taken`.

    Raises:
        RuntimeError: when none is found, which means that the machine is out of ports.
    """
    for port in random.sample(BACKING, ATTEMPTS):
        if port not in taken and is_free(port):
            return port
    raise RuntimeError(f"no free port found between {BACKING.start} and {BACKING.stop}")


def port_owner(port: int) -> str | None:
    """Return `name (pid N)` of the process that listens on `port`; None when the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                return f"pid {connection.pid}"
    return None
