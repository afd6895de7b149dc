"""The embedding service as a process of its own, and its API as a client sees it."""

import http.client
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.embedding.reference import Rate
from benchmarks.serving.backing import service_settings
from benchmarks.serving.processes import Launch, Server
from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 900.0
TIMEOUT_SECONDS = 120.0
PADDED, READ = "ml_embedding_padded_tokens_total", "ml_embedding_tokens_total"


class ServiceFailedError(Exception):
    """The service answered otherwise than it should."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    Attributes:
        port: Where it listens.
        server: Its process.
        ready_seconds: From its start to its readiness.
        chosen_seconds: From its start to the end of its choice of a backend.
    """

    port: int
    server: Server
    ready_seconds: float
    chosen_seconds: float

    def info(self) -> dict[str, Any]:
        """Return how it computes."""
        return _get(self.port, "/info")

    def encode(self, texts: Sequence[str], *, per_request: int, connections: int) -> NDArray[np.float32]:
        """Encode texts in requests of some, several at a time."""
        parts = [texts[start : start + per_request] for start in range(0, len(texts), per_request)]
        with ThreadPoolExecutor(connections) as threads:
            return np.concatenate(list(threads.map(self._embed, parts)))

    def rate(self, texts: Sequence[str], *, per_request: int, connections: int) -> Rate:
        """Measure how fast the service encodes texts; the processor time of the client is not in it."""
        started, used = time.perf_counter(), self._processor_seconds()
        self.encode(texts, per_request=per_request, connections=connections)
        took = self._processor_seconds() - used
        return Rate(len(texts) / (time.perf_counter() - started), len(texts) / took)

    def milliseconds(self, queries: Sequence[str]) -> list[float]:
        """Return how long each query takes on one connection, one after the other."""
        connection = _connect(self.port)
        took = []
        for query in queries:
            started = time.perf_counter()
            _post(connection, [query])
            took.append((time.perf_counter() - started) * 1000)
        connection.close()
        return took

    def token_counts(self) -> tuple[float, float]:
        """Return the tokens computed so far, padding included, and those read."""
        connection = _connect(self.port)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        found = {
            name: sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
            for name in (PADDED, READ)
        }
        return found[PADDED], found[READ]

    def _processor_seconds(self) -> float:
        times = [member.cpu_times() for member in self.server.family()]
        return sum(time.user + time.system for time in times)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        connection = _connect(self.port)
        vectors = _post(connection, texts)
        connection.close()
        return vectors


@contextmanager
def running(settings: dict[str, str], folder: Path, backend: str) -> Iterator[Service]:
    """Run the service on a stack until the block ends.

    Args:
        settings: How to reach the stack.
        folder: For its log and its cache.
        backend: What `ML_EMBEDDING_BACKEND` is to say.

    Raises:
        StartError: It did not become ready.
    """
    port = choose_port([])
    variables = {
        **service_settings(settings),
        "ML_HOME": str(folder),
        "ML_EMBEDDING_PORT": str(port),
        "ML_EMBEDDING_BACKEND": backend,
        "ML_EMBEDDING_CACHE_ENTRIES": "0",  # texts are sent in rounds: all but the first would be found there
        "PYTHONPATH": str(ROOT),
    }
    launch = Launch([sys.executable, "-m", "services.embedding"], variables, ROOT)
    with Server(launch, folder / "service.log") as server:
        started = time.perf_counter()
        server.start(lambda: _problem(port, "/health/ready"), START_SECONDS)
        ready = time.perf_counter() - started
        while not (choice := _get(port, "/info")["encoder"]["choice"])["complete"]:
            if time.perf_counter() - started > START_SECONDS:
                raise ServiceFailedError(f"no backend was chosen within {START_SECONDS:.0f} s: {choice}")
            time.sleep(0.2)
        yield Service(port, server, ready, time.perf_counter() - started)


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)


def _post(connection: http.client.HTTPConnection, texts: Sequence[str]) -> NDArray[np.float32]:
    body = orjson.dumps({"texts": texts})
    connection.request("POST", "/api/v1/embed", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.HTTPStatus.OK:
        raise ServiceFailedError(f"POST /api/v1/embed was answered {response.status}: {answer[:300]!r}")
    return np.array(orjson.loads(answer)["embeddings"], dtype=np.float32)


def _get(port: int, path: str) -> dict[str, Any]:
    connection = _connect(port)
    connection.request("GET", path)
    answer: dict[str, Any] = orjson.loads(connection.getresponse().read())
    connection.close()
    return answer


def _problem(port: int, path: str) -> str | None:
    try:
        connection = _connect(port)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except OSError as error:
        return str(error)
    return None if response.status == http.HTTPStatus.OK else body[:300].decode()
