"""Whether a bad request makes good ones fail that arrive at the same moment."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import uvloop

from benchmarks.serving.contender import TOLERANCE, Running
from benchmarks.serving.lane import BROKEN, Lane, render
from benchmarks.serving.subjects import Subject

GOOD = 16
STRIDE = 37
"""Between the rows of the good requests, so that both classes are among them, and a mix-up shows."""
PATIENCE = 30.0
OK = 200


def malformed(subject: Subject) -> list[list[object]]:
    """Return a row that lacks its last column."""
    return [subject.rows(1)[0][:-1]]


def failing(subject: Subject) -> list[list[object]]:
    """Return a row of the right form whose value the model refuses: nothing, where it needs a number."""
    return [[None, *subject.rows(1)[0][1:]]]


BAD = {"malformed": malformed, "failing": failing}


@dataclass(frozen=True, slots=True)
class Collateral:
    """What became of the good requests.

    Attributes:
        good: How many were sent.
        failed: How many were refused, or answered with another prediction.
        bad: Statuses of the bad ones.
    """

    good: int
    failed: int
    bad: dict[str, int]


def measure(running: Running, kind: str, bursts: int) -> Collateral:
    """Send bursts of good requests with one bad one among them."""
    return uvloop.run(_measure(running, kind, bursts))


async def _measure(running: Running, kind: str, bursts: int) -> Collateral:
    subject, encoding = running.subject, running.contender.encoding
    path = urlsplit(running.url(encoding)).path
    rows = [subject.rows(1, number * STRIDE) for number in range(GOOD)]
    messages = [encoding.write(running.model, subject.columns, row) for row in rows]
    columns = subject.columns[: len(BAD[kind](subject)[0])]
    messages.insert(GOOD // 2, encoding.write(running.model, columns, BAD[kind](subject)))
    requests = [render(path, running.port, message.headers, message.body) for message in messages]
    failed, bad = 0, Counter[str]()
    burst = Burst(running.port, requests)
    for _ in range(bursts):
        answers = await burst.fire()
        bad[str(answers.pop(GOOD // 2)[0])] += 1
        failed += sum(
            status != OK or not _right(encoding.read({}, body), subject.answers(1, number * STRIDE))
            for number, (status, body) in enumerate(answers)
        )
    burst.close()
    return Collateral(GOOD * bursts, failed, dict(bad))


def _right(found: list[float], expected: np.ndarray) -> bool:
    return np.shape(found) == np.shape(expected) and np.allclose(found, expected, rtol=0, atol=TOLERANCE)


class Burst:
    """As many connections as requests, all of which send at the same moment."""

    def __init__(self, port: int, requests: list[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._lanes: list[Lane] = []
        self._answers: dict[Lane, tuple[int, bytes]] = {}
        self._all = asyncio.Event()

    async def fire(self) -> list[tuple[int, bytes]]:
        """Send all; return status and body of each answer, in the order of the requests."""
        self._lanes = [lane if lane.is_open else await self._connect() for lane in self._lanes]
        while len(self._lanes) < len(self._requests):
            self._lanes.append(await self._connect())
        self._answers.clear()
        self._all.clear()
        for lane, request in zip(self._lanes, self._requests, strict=True):
            lane.send(request, time.perf_counter())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all.wait(), PATIENCE)
        answers = [self._answers.get(lane, (BROKEN, b"")) for lane in self._lanes]
        if len(self._answers) < len(self._lanes):
            self.close()
        return answers

    def close(self) -> None:
        """End all connections."""
        for lane in self._lanes:
            lane.close()
        self._lanes = []

    async def _connect(self) -> Lane:
        loop = asyncio.get_running_loop()
        _, lane = await loop.create_connection(lambda: Lane(self._answered), "127.0.0.1", self._port)
        return lane

    def _answered(self, lane: Lane, status: int, body: bytes) -> None:
        self._answers[lane] = (status, body)
        if len(self._answers) == len(self._requests):
            self._all.set()
