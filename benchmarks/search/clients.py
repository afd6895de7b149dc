"""Callers: each has a connection of its own, and asks as soon as it was answered.

Also run in the environments of the other stores, so it imports little.
"""

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

TIMEOUT_SECONDS = 120.0
EMBED = "/api/v1/embed"

FAILED = -1
Ask = Callable[[str], int]
"""Asks a query and returns the number of results, or `FAILED`."""


class RefusedError(Exception):
    """A service answered otherwise than with 200."""


class Caller:
    """One keep-alive connection.

    Args:
        url: Of the service.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a body, return the answer.

        Raises:
            RefusedError: It is not a 200.
        """
        self._connection.request("POST", path, orjson.dumps(body), {"Content-Type": "application/json"})
        return self._read(path)

    def get(self, path: str) -> dict[str, Any]:
        """Return the answer.

        Raises:
            RefusedError: It is not a 200.
        """
        self._connection.request("GET", path)
        return self._read(path)

    def embed(self, text: str) -> list[float]:
        """Return the vector of a text."""
        vector: list[float] = self.post(EMBED, {"texts": [text]})["embeddings"][0]
        return vector

    def _read(self, path: str) -> dict[str, Any]:
        response = self._connection.getresponse()
        content = response.read()
        if response.status != http.client.OK:
            raise RefusedError(f"{path} was answered {response.status}: {content[:500]!r}")
        answer: dict[str, Any] = orjson.loads(content)
        return answer


@dataclass(frozen=True, slots=True)
class Timing:
    """What some clients saw.

    Attributes:
        queries: That were counted.
        p50_ms: Half of the queries took longer.
        p95_ms: One in twenty took longer.
        per_second: Queries, of all clients together.
        short: Answers with fewer results than there are.
        failed: Queries that were refused, or answered without a part of the search that was asked for.
    """

    queries: int
    p50_ms: float
    p95_ms: float
    per_second: float
    short: int
    failed: int

    def as_dict(self) -> dict[str, Any]:
        """Return what is written as JSON."""
        return asdict(self)


def measure(make: Callable[[], Ask], queries: Sequence[str], *, clients: int, wanted: int) -> Timing:
    """Let some clients ask queries.

    Args:
        make: Returns what asks a query, once for each client.
        queries: Asked once each; the first tenth warms up and is not counted.
        clients: How many ask at once.
        wanted: Results that each query has.
    """
    waiting = iter(enumerate(queries))
    lock, stop = threading.Lock(), threading.Event()
    warm = len(queries) // 10
    seen: list[tuple[float, float, int]] = []

    def ask() -> None:
        call = make()
        try:
            while not stop.is_set():
                with lock:
                    number, query = next(waiting, (None, ""))
                if number is None:
                    return
                started = time.perf_counter()
                results = call(query)
                if number >= warm:
                    seen.append((started, time.perf_counter(), results))
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(clients) as threads:
        for asking in [threads.submit(ask) for _ in range(clients)]:
            asking.result()
    milliseconds = [(ended - started) * 1000 for started, ended, _ in seen]
    first, last = min(started for started, _, _ in seen), max(ended for _, ended, _ in seen)
    return Timing(
        queries=len(seen),
        p50_ms=round(statistics.median(milliseconds), 2),
        p95_ms=round(statistics.quantiles(milliseconds, n=20)[18], 2),
        per_second=round(len(seen) / (last - first), 1),
        short=sum(FAILED < results < wanted for _, _, results in seen),
        failed=sum(results == FAILED for _, _, results in seen),
    )
