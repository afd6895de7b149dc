"""A server with OpenAI's embeddings protocol as a process of its own, and how a client sees it."""

import base64
import http.client
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.embedding.rate import Rate
from benchmarks.serving.processes import Server

MODEL = "text-embedder"
PATH = "/v1/embeddings"
PER_REQUEST, CONNECTIONS = 64, 4
TIMEOUT_SECONDS = 300.0
TICK = 0.01
"""Seconds: the step in which the system counts processor time."""
SETTLE_SECONDS = 0.3
"""For what a server that was halted has to catch up with."""


class EndpointError(Exception):
    """A server answered otherwise than it should."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A running server.

    Attributes:
        port: Where it listens.
        server: Its process.
    """

    port: int
    server: Server

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts in requests of some, several at a time."""
        parts = [texts[start : start + PER_REQUEST] for start in range(0, len(texts), PER_REQUEST)]
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return np.concatenate(list(threads.map(self._embed, parts)))

    def rate(self, texts: Sequence[str]) -> Rate:
        """Measure how fast it encodes texts; the processor time of the client is not in it."""
        started, used = time.perf_counter(), self._processor_seconds()
        self.encode(texts)
        took = max(self._processor_seconds() - used, TICK)
        return Rate(len(texts) / (time.perf_counter() - started), len(texts) / took)

    def milliseconds(self, queries: Sequence[str]) -> list[float]:
        """Return how long each query takes on one connection, one after the other."""
        connection = connect(self.port)
        took = []
        for query in queries:
            started = time.perf_counter()
            _post(connection, [query])
            took.append((time.perf_counter() - started) * 1000)
        connection.close()
        return took

    def problem(self) -> str | None:
        """Ask for a vector; return None when there is one, and what is wrong otherwise."""
        try:
            self._embed(["are you ready"])
        except (OSError, EndpointError, http.client.HTTPException) as error:
            return repr(error)
        return None

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for the time of the block, and halt it afterwards: who is not measured takes no processor."""
        self.server.go_on()
        try:
            self._embed(["wake up"])
            time.sleep(SETTLE_SECONDS)
            yield
        finally:
            self.server.halt()

    def _processor_seconds(self) -> float:
        times = [member.cpu_times() for member in self.server.family()]
        return sum(time.user + time.system for time in times)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        connection = connect(self.port)
        try:
            return _post(connection, texts)
        finally:
            connection.close()


def connect(port: int) -> http.client.HTTPConnection:
    """Return a connection to a server of this machine."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)


def get(port: int, path: str) -> Any:  # noqa: ANN401 (JSON is anything)
    """Return a document.

    Raises:
        EndpointError: There is none.
    """
    connection = connect(port)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise EndpointError(f"GET {path} was answered {response.status}: {body[:300].decode(errors='replace')}")
    return orjson.loads(body)


def _post(connection: http.client.HTTPConnection, texts: Sequence[str]) -> NDArray[np.float32]:
    body = orjson.dumps({"model": MODEL, "input": list(texts), "encoding_format": "base64"})
    connection.request("POST", PATH, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.HTTPStatus.OK:
        raise EndpointError(f"POST {PATH} was answered {response.status}: {answer[:300].decode(errors='replace')}")
    items = sorted(orjson.loads(answer)["data"], key=lambda item: item["index"])
    return np.array([np.frombuffer(base64.b64decode(item["embedding"]), "<f4") for item in items])
