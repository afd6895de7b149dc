"""One-row predictions of a 30-column model over one keep-alive connection."""

import statistics
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import orjson

WARM_UP = 100


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from sending a request to having read its answer."""

    p50: float
    p95: float
    p99: float
    requests: int


def measure(serving_url: str, model: str, row: dict[str, float], requests: int) -> Latency:
    """Send the row again and again, one request at a time.

    Raises:
        RuntimeError: an answer was not 200.
    """
    address = urlsplit(serving_url)
    connection = HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=30)
    body = orjson.dumps({"model": model, "inputs": [row]})
    headers = {"Content-Type": "application/json"}
    taken = []
    for count in range(WARM_UP + requests):
        begun = time.perf_counter()
        connection.request("POST", "/api/v1/predict", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"predict answered {answer.status}: {text.decode()}")
        if count >= WARM_UP:
            taken.append((time.perf_counter() - begun) * 1000)
    connection.close()
    cuts = statistics.quantiles(taken, n=100)
    return Latency(p50=cuts[49], p95=cuts[94], p99=cuts[98], requests=requests)
