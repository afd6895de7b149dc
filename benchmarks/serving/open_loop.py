"""Open loop: requests are sent when they are due, whether or not earlier ones were answered, as callers do.

Runs in a process of its own, `python -m benchmarks.serving.open_loop SPECIFICATION`, and prints JSON. Latency counts
from the time at which a request was due, so that a generator or a server that falls behind cannot hide it.
"""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import uvloop

from benchmarks.serving.encodings import Message
from benchmarks.serving.lane import BROKEN, Lane, render

ROOT = Path(__file__).parents[2]
TICK = 0.001
OK = 200
GRACE_SECONDS = 60.0
CONNECTING = 64
"""Connections that are opened at the same time, before the clock starts."""
CONNECTIONS = 1536
"""Of a flood, unless told otherwise; far more than a server answers at a time."""


@dataclass(frozen=True, slots=True)
class Specification:
    """What is sent.

    Attributes:
        port: Of the server, on loopback.
        request: File with the request as it goes over the wire.
        rate: Requests per second.
        warm_up: Seconds at that rate before anything is counted.
        seconds: Seconds that are counted.
        connections: Most connections; a request that is due while all are busy is not sent, and counted as that.
        patience: Seconds that the last answers are waited for.
    """

    port: int
    request: str
    rate: float
    warm_up: float
    seconds: float
    connections: int
    patience: float


@dataclass(frozen=True, slots=True)
class Flood:
    """What came of it.

    Attributes:
        offered: Requests per second that were due.
        sent: Requests per second that were really sent; less when all connections were busy.
        goodput: Predictions per second.
        p50: Milliseconds of half of the predictions.
        p99: Milliseconds of all but one in a hundred of the predictions.
        statuses: Answers by status; `0` is a broken connection, `late` came after the patience was over.
    """

    offered: float
    sent: float
    goodput: float
    p50: float
    p99: float
    statuses: dict[str, int]


class Generator:
    """Sends by the clock."""

    def __init__(self, given: Specification) -> None:
        self._given = given
        self._request = Path(given.request).read_bytes()
        self._free: deque[Lane] = deque()
        self._open = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._statuses: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._answers_in_time = 0
        self._counted_sent = 0
        self._busy: set[Lane] = set()
        self._idle = asyncio.Event()
        self._from = self._until = 0.0

    async def run(self) -> Flood:
        """Send all, and wait for the answers."""
        given = self._given
        for _ in range(0, given.connections, CONNECTING):
            await asyncio.gather(*(self._connect() for _ in range(min(CONNECTING, given.connections - self._open))))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        begun = time.perf_counter()
        self._from = begun + given.warm_up
        self._until = self._from + given.seconds
        due_count = 0
        while (now := time.perf_counter()) < self._until:
            target = int((now - begun) * given.rate)
            for number in range(due_count, target):
                self._send(begun + number / given.rate)
            due_count = target
            await asyncio.sleep(TICK)
        if self._busy:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), given.patience)
        self._statuses["late"] += sum(self._counts(lane.due) for lane in self._busy)
        for lane in (*self._free, *self._busy):
            lane.close()
        seconds = max(self._until - self._from, TICK)
        cuts = np.percentile(self._latencies, [50, 99]) * 1000 if self._latencies else [float("nan")] * 2
        return Flood(
            offered=given.rate,
            sent=self._counted_sent / seconds,
            goodput=self._answers_in_time / seconds,
            p50=float(cuts[0]),
            p99=float(cuts[1]),
            statuses={name: count for name, count in sorted(self._statuses.items()) if count},
        )

    def _stop(self) -> None:
        self._until = time.perf_counter()

    def _send(self, due: float) -> None:
        while self._free:
            lane = self._free.pop()
            if lane.is_open:
                lane.send(self._request, due)
                self._busy.add(lane)
                self._counted_sent += self._counts(due)
                return
        if self._counts(due):
            self._statuses["not sent"] += 1
        if self._open + len(self._opening) < self._given.connections:
            opening = asyncio.create_task(self._connect())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        try:
            _, lane = await asyncio.get_running_loop().create_connection(
                lambda: Lane(self._answered), "127.0.0.1", self._given.port
            )
        except OSError:
            self._statuses["refused connection"] += 1
            return
        self._open += 1
        self._free.append(lane)

    def _answered(self, lane: Lane, status: int, _: bytes) -> None:
        now = time.perf_counter()
        self._busy.discard(lane)
        if not self._busy:
            self._idle.set()
        if status == BROKEN:
            self._open -= 1
        else:
            self._free.append(lane)
        if status == OK and self._from <= now < self._until:
            self._answers_in_time += 1
        if self._counts(lane.due):
            self._statuses[str(status)] += 1
            if status == OK:
                self._latencies.append(now - lane.due)

    def _counts(self, due: float) -> bool:
        return due >= self._from


class Generation:
    """A generator that runs in a process of its own."""

    def __init__(
        self,
        url: str,
        message: Message,
        rate: float,
        seconds: float,
        *,
        patience: float,
        connections: int = CONNECTIONS,
    ) -> None:
        """Start sending a message at a rate.

        Args:
            url: Of the server, on loopback.
            message: What to send.
            rate: Requests per second.
            seconds: For how long they are counted; there is up to a second of warm-up before.
            patience: Seconds that the last answers are waited for.
            connections: Most connections.
        """
        address = urlsplit(url)
        self._folder = tempfile.TemporaryDirectory()
        request = Path(self._folder.name) / "request"
        request.write_bytes(render(address.path or "/", address.port or 80, message.headers, message.body))
        given = Specification(
            port=address.port or 80,
            request=str(request),
            rate=rate,
            warm_up=min(1.0, seconds / 4),
            seconds=seconds,
            connections=connections,
            patience=patience,
        )
        self._longest = seconds + patience + GRACE_SECONDS
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.open_loop", json.dumps(asdict(given))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        """Send no more."""
        self._process.send_signal(signal.SIGTERM)

    def result(self) -> Flood:
        """Wait for the end.

        Raises:
            RuntimeError: the generator failed.
        """
        try:
            output, errors = self._process.communicate(timeout=self._longest)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            raise RuntimeError("the generator did not end") from error
        finally:
            self._folder.cleanup()
        if self._process.returncode:
            raise RuntimeError(f"the generator ended with {self._process.returncode}: {errors}")
        return Flood(**json.loads(output))


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(Generator(Specification(**json.loads(sys.argv[1]))).run()))))
