"""One server in one configuration, and how to talk to it."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

from benchmarks.serving.encodings import Encoding, Message
from benchmarks.serving.environments import Environment
from benchmarks.serving.processes import Launch, Server, StartError
from benchmarks.serving.subjects import LINEAR, Subject
from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
CHECKED_ROWS = 100
TOLERANCE = 1e-9
REQUEST_SECONDS = 60.0
SETTLE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender is to run.

    Attributes:
        environment: Its own packages; None is this project's environment.
        subject: What it is to serve.
        port: Where it is to listen, on loopback.
        folder: For its log and whatever it writes.
    """

    environment: Environment | None
    subject: Subject
    port: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Contender:
    """A server in one configuration.

    Attributes:
        name: What reports call it.
        group: The product; the best of a group's configurations speaks for it.
        settings: Its configuration in words.
        paths: Where it takes which protocol; `{model}` stands for the model. The first is the one it is compared by.
        launch: Says how to start it.
        requirements: Name of its list of packages; None runs in this project's own environment.
        subjects: The models that it is measured with.
        names: The names that it serves them under, for protocols that name a model.
    """

    name: str
    group: str
    settings: str
    paths: Mapping[Encoding, str]
    launch: Callable[[Place], Launch]
    requirements: str | None = None
    subjects: tuple[str, ...] = (LINEAR,)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def encoding(self) -> Encoding:
        """The protocol that it is compared by."""
        return next(iter(self.paths))


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that runs with a model, and has answered rightly."""

    contender: Contender
    subject: Subject
    server: Server
    port: int

    @property
    def name(self) -> str:
        """What reports call the contender."""
        return self.contender.name

    @property
    def model(self) -> str:
        """The name under which the model is served."""
        return self.contender.names.get(self.subject.name, "model")

    @property
    def address(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, encoding: Encoding) -> str:
        """Return where it takes a protocol."""
        return self.address + self.contender.paths[encoding].format(model=self.model)

    def message(self, encoding: Encoding, rows: int) -> Message:
        """Write the first rows of the data."""
        return encoding.write(self.model, self.subject.columns, self.subject.rows(rows))

    def ask(self, client: httpx.Client, encoding: Encoding, rows: int) -> str | None:
        """Ask for predictions once; return None when they are right, and what is wrong otherwise."""
        message = self.message(encoding, rows)
        try:
            answer = client.post(self.url(encoding), content=message.body, headers=dict(message.headers))
        except httpx.TransportError as error:
            return repr(error)
        if answer.status_code != httpx.codes.OK:
            return f"status {answer.status_code}: {answer.text[:300]}"
        found = encoding.read(answer.headers, answer.content)
        right = np.shape(found) == (rows,) and np.allclose(found, self.subject.answers(rows), rtol=0, atol=TOLERANCE)
        return None if right else f"other predictions: {found[:3]}"

    def check(self) -> None:
        """Compare its predictions in all of its protocols with the model's own.

        Raises:
            StartError: one differs.
        """
        with httpx.Client(timeout=REQUEST_SECONDS) as client:
            for encoding in self.contender.paths:
                for rows in (1, CHECKED_ROWS):
                    if problem := self.ask(client, encoding, rows):
                        raise StartError(f"{self.contender.name}, {encoding.name}, {rows} rows: {problem}")


def start(contender: Contender, subject: Subject, environment: Environment | None, folder: Path) -> Running:
    """Start a contender and compare its predictions; whoever calls stops `.server`.

    Raises:
        StartError: it does not start, or predicts something else.
    """
    port = choose_port(())
    place = Place(environment, subject, port, folder)
    log = folder / f"{contender.name}, {subject.name}.log".replace(" ", "-")
    running = Running(contender, subject, Server(contender.launch(place), log), port)
    with httpx.Client(timeout=REQUEST_SECONDS) as client:
        running.server.start(lambda: running.ask(client, contender.encoding, 1))
    try:
        running.check()
        settle(running.server)
    except BaseException:
        running.server.stop()
        raise
    return running


def settle(server: Server, quiet: float = 0.05, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until the server has done what it does after its start, such as loading in further workers.

    Args:
        server: Whose processes are watched.
        quiet: Share of one core that counts as rest.
        seconds: Longest wait; a server that never rests is measured as it is.
    """
    deadline = time.monotonic() + seconds
    spent, rests = _spent(server), 0
    while rests < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
        before, spent = spent, _spent(server)
        rests = rests + 1 if spent - before < quiet * 0.5 else 0


def _spent(server: Server) -> float:
    total = 0.0
    for member in server.family():
        with suppress(psutil.Error):
            times = member.cpu_times()
            total += times.user + times.system
    return total
