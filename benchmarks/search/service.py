"""The search service as a process on the benchmark's database, and its callers."""

import http.client
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90
EMBEDDED_AT_ONCE = 32


class Caller:
    """One keep-alive connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a body, return the answer.

        Raises:
            RuntimeError: It is not a 200.
        """
        self._connection.request("POST", path, orjson.dumps(body), {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {content[:500]!r}")
        return orjson.loads(content)


@contextmanager
def search_service(database_url: str, embedding_url: str, port: int, log: Path) -> Iterator[str]:
    """Run the search service for the time of the block, without its cache: every query is ranked."""
    variables = {
        "ML_DATABASE_URL": database_url,
        "ML_EMBEDDING_URL": embedding_url,
        "ML_SEARCH_PORT": str(port),
        "ML_SEARCH_CACHE_TTL": "0",
        "ML_SEARCH_PROBE_INTERVAL": "0",
        "ML_AUTH_ENABLED": "false",
        "ML_RATE_LIMIT_ENABLED": "false",
        "ML_TRACES_PER_SECOND": "0",
        "ML_LOG_LEVEL": "WARNING",
    }
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.search"],
            cwd=ROOT,
            env=os.environ | variables,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def embed(url: str, texts: Sequence[str]) -> tuple[np.ndarray, dict[str, str]]:
    """Embed texts; return unit rows, and name, version and digest of the model."""
    caller = Caller(url)
    rows: list[list[float]] = []
    for start in range(0, len(texts), EMBEDDED_AT_ONCE):
        answer = caller.post("/api/v1/embed", {"texts": list(texts[start : start + EMBEDDED_AT_ONCE])})
        rows += answer["embeddings"]
    model = {"name": answer["model"], "version": answer["version"], "digest": answer["digest"]}
    return np.asarray(rows, dtype=np.float32), model


def measure(make: Callable[[], Callable[[str], Any]], queries: Sequence[str], clients: int) -> dict[str, float]:
    """Let some clients ask queries, each one as soon as its last one is answered.

    Args:
        make: Returns what asks a query, once for each client.
        queries: Asked once each; the first tenth warms up and is not counted.
        clients: How many ask at once.

    Returns:
        p50 and p95 in milliseconds, and queries a second.
    """
    waiting = iter(enumerate(queries))
    lock = threading.Lock()
    warm = len(queries) // 10
    milliseconds: list[float] = []
    begun: list[float] = []
    errors: list[BaseException] = []

    def ask() -> None:
        call = make()
        while True:
            with lock:
                number, query = next(waiting, (None, ""))
            if number is None or errors:
                return
            started = time.perf_counter()
            try:
                call(query)
            except (OSError, RuntimeError) as error:
                errors.append(error)
                return
            if number >= warm:
                begun.append(started)
                milliseconds.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    ended = time.perf_counter()
    return {
        "p50_ms": round(statistics.median(milliseconds), 2),
        "p95_ms": round(statistics.quantiles(milliseconds, n=20)[18], 2),
        "per_second": round(len(milliseconds) / (ended - min(begun)), 1),
    }


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    parts = urlsplit(url)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError("the search service is not ready:\n" + log.read_text()[-2000:])
