"""What many models take: all in one process of the platform, against a stock server for each."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil

from benchmarks.serving.contender import REQUEST_SECONDS, Contender, Running, start
from benchmarks.serving.environments import Environment
from benchmarks.serving.processes import MIB, Memory, StartError
from benchmarks.serving.subjects import LINEAR, Subject

MODELS = 20
STOCK_MIB = 700
"""More than one stock server takes; so much has to be free for each that is started."""


@dataclass(frozen=True, slots=True)
class Many:
    """Memory of many models.

    Attributes:
        models: How many.
        platform: Of the one process that serves all of them.
        stock: Of as many stock servers as were started, together.
        stock_servers: How many those were; with fewer than models, figures are multiplied.
    """

    models: int
    platform: Memory
    stock: Memory
    stock_servers: int


def measure(
    many: Contender,
    stock: Contender,
    *,
    environment: Environment,
    subject: Subject,
    servers: int,
    folder: Path,
    report: Callable[[str], None],
) -> Many:
    """Start the platform with all models, ask each, and measure; then as many stock servers.

    Raises:
        StartError: a server does not start, or a model does not answer.
    """
    report(f"memory: {len(many.names)} models in one process")
    running = start(many, subject, None, folder)
    with running.server:
        _ask_each(running)
        platform = running.server.memory()
    room = int(psutil.virtual_memory().available / MIB / STOCK_MIB)
    count = max(1, min(servers, room))
    with ExitStack() as stack:
        started = []
        for number in range(count):
            report(f"memory: stock server {number + 1} of {count}")
            named = replace(stock, name=f"{stock.name} {number + 1}")
            started.append(start(named, subject, environment, folder).server)
            stack.enter_context(started[-1])
        each = [server.memory() for server in started]
    together = Memory(
        resident=sum(memory.resident for memory in each),
        proportional=sum(memory.proportional for memory in each),
        processes=sum(memory.processes for memory in each),
    )
    return Many(len(many.names), platform, together, count)


def _ask_each(running: Running) -> None:
    """Have every model in memory and used."""
    encoding = running.contender.encoding
    with httpx.Client(timeout=REQUEST_SECONDS) as client:
        for name in running.contender.names.values():
            other = replace(running, contender=replace(running.contender, names={LINEAR: name}))
            message = other.message(encoding, 1)
            answer = client.post(other.url(encoding), content=message.body, headers=dict(message.headers))
            if answer.status_code != httpx.codes.OK:
                raise StartError(f"{name} answered {answer.status_code}: {answer.text[:300]}")
