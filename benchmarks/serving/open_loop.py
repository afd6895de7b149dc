"""Open loop: requests are sent when they are due, whether or not earlier ones were answered, as callers do.

Runs in a process of its own, `python -m benchmarks.serving.open_loop SPECIFICATION`, and prints JSON. Latency counts
from the time at which a request was due, so that a generator or a server that falls behind cannot hide it.
"""

import asyncio
import json
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.serving.lane import BROKEN, Lane

TICK = 0.001
OK = 200
CONNECTING = 64
"""Connections that are opened at the same time, before the clock starts."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of time.

    Attributes:
        rate: Requests per second.
        connections: Most connections; a request that is due while all are busy is not sent, and counted as that.
    """

    rate: float
    connections: int


@dataclass(frozen=True, slots=True)
class Specification:
    """What is sent.

    Attributes:
        port: Of the server, on loopback.
        request: File with the request as it goes over the wire.
        slices: One after the other; each begins when the one before was answered.
        warm_up: Seconds of each slice before anything is counted.
        seconds: Seconds of each slice that are counted.
        patience: Seconds that the last answers of a slice are waited for.
    """

    port: int
    request: str
    slices: Sequence[Slice]
    warm_up: float
    seconds: float
    patience: float

    @classmethod
    def read(cls, text: str) -> "Specification":
        """Read one from JSON."""
        values = json.loads(text)
        return cls(**values | {"slices": [Slice(**entry) for entry in values["slices"]]})


@dataclass(frozen=True, slots=True)
class Flood:
    """What came of a slice.

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
        self._lanes: set[Lane] = set()
        self._free: deque[Lane] = deque()
        self._most = 0
        self._opening: set[asyncio.Task[None]] = set()
        self._statuses: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._answers_in_time = 0
        self._counted_sent = 0
        self._busy: set[Lane] = set()
        self._idle = asyncio.Event()
        self._begun = self._from = self._until = 0.0
        self._rate = 0.0
        self._due_count = 0
        self._stopped = False

    async def run(self) -> list[Flood]:
        """Send all, and wait for the answers."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        self._most = most = max(entry.connections for entry in self._given.slices)
        for _ in range(0, most, CONNECTING):
            await asyncio.gather(*(self._connect() for _ in range(min(CONNECTING, most - len(self._lanes)))))
        found = [await self._send_slice(entry) for entry in self._given.slices if not self._stopped]
        for lane in self._lanes:
            lane.close()
        return found

    async def _send_slice(self, entry: Slice) -> Flood:
        given = self._given
        self._most = entry.connections
        self._free = deque(list(self._lanes - self._busy)[: entry.connections])
        self._statuses, self._latencies = Counter(), []
        self._answers_in_time = self._counted_sent = 0
        self._rate = entry.rate
        self._due_count = 0
        self._begun = begun = time.perf_counter()
        self._from = begun + given.warm_up
        self._until = self._from + given.seconds
        while (now := time.perf_counter()) < self._until and not self._stopped:
            self._send_due(now)
            await asyncio.sleep(TICK)
        self._until = min(self._until, time.perf_counter())
        for opening in self._opening:
            opening.cancel()
        seconds = max(self._until - self._from, TICK)
        if self._busy:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), given.patience)
        self._give_up()
        cuts = np.percentile(self._latencies, [50, 99]) * 1000 if self._latencies else [float("nan")] * 2
        return Flood(
            offered=entry.rate,
            sent=self._counted_sent / seconds,
            goodput=self._answers_in_time / seconds,
            p50=float(cuts[0]),
            p99=float(cuts[1]),
            statuses={name: count for name, count in sorted(self._statuses.items()) if count},
        )

    def _send_due(self, now: float) -> None:
        """Send what is due; what finds no connection is not sent at all, also not later."""
        target = int((now - self._begun) * self._rate)
        while self._due_count < target and self._send(self._begun + self._due_count / self._rate):
            self._due_count += 1
        if now > self._from:
            self._statuses["not sent"] += target - self._due_count
        self._due_count = target

    def _give_up(self) -> None:
        for lane in self._busy:
            self._statuses["late"] += self._counts(lane.due)
            lane.close()
        self._lanes -= self._busy
        self._busy.clear()

    def _stop(self) -> None:
        self._stopped = True

    def _send(self, due: float) -> bool:
        while self._free:
            lane = self._free.pop()
            if lane.is_open:
                self._busy.add(lane)
                lane.send(self._request, due)
                self._counted_sent += self._counts(due)
                return True
            self._lanes.discard(lane)  # the server has closed it
        if len(self._lanes) + len(self._opening) < self._most:
            opening = asyncio.create_task(self._connect())
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        return False

    async def _connect(self) -> None:
        try:
            _, lane = await asyncio.get_running_loop().create_connection(
                lambda: Lane(self._answered), "127.0.0.1", self._given.port
            )
        except OSError:
            self._statuses["refused connection"] += 1
            return
        self._lanes.add(lane)
        self._free.append(lane)

    def _answered(self, lane: Lane, status: int, _: bytes) -> None:
        now = time.perf_counter()
        self._busy.discard(lane)
        if not self._busy:
            self._idle.set()
        if status == BROKEN:
            self._lanes.discard(lane)
        else:
            self._free.append(lane)
        if status == OK and self._from <= now < self._until:
            self._answers_in_time += 1
        if self._counts(lane.due):
            self._statuses[str(status)] += 1
            if status == OK:
                self._latencies.append(now - lane.due)
        if now < self._until and not self._stopped:
            self._send_due(now)  # or connections would idle until the next tick

    def _counts(self, due: float) -> bool:
        return due >= self._from


if __name__ == "__main__":
    floods = uvloop.run(Generator(Specification.read(sys.argv[1])).run())
    print(json.dumps([asdict(flood) for flood in floods]))
