"""The embedding service as a process of its own."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.embedding.endpoint import Endpoint, EndpointError, connect, get
from benchmarks.serving.backing import service_settings
from benchmarks.serving.processes import Launch, Server
from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 900.0
PADDED, READ = "ml_embedding_padded_tokens_total", "ml_embedding_tokens_total"


@dataclass(frozen=True, slots=True)
class Service:
    """The running service.

    Attributes:
        endpoint: Where it is asked.
        ready_seconds: From its start to its readiness.
        chosen_seconds: From its start to the end of its choice of a backend.
    """

    endpoint: Endpoint
    ready_seconds: float
    chosen_seconds: float

    def encoder(self) -> dict[str, Any]:
        """Return how it computes."""
        encoder: dict[str, Any] = get(self.endpoint.port, "/info")["encoder"]
        return encoder

    def token_counts(self) -> tuple[float, float]:
        """Return the tokens computed so far, padding included, and those read."""
        connection = connect(self.endpoint.port)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        found = {
            name: sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
            for name in (PADDED, READ)
        }
        return found[PADDED], found[READ]


@contextmanager
def running(settings: dict[str, str], folder: Path, backend: str) -> Iterator[Service]:
    """Run the service on a stack until the block ends.

    Args:
        settings: How to reach the stack.
        folder: For its log and its cache.
        backend: What `ML_EMBEDDING_BACKEND` is to say.

    Raises:
        StartError: It did not become ready.
        EndpointError: It did not choose a backend.
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
        server.start(lambda: _problem(port), START_SECONDS)
        ready = time.perf_counter() - started
        while not (choice := get(port, "/info")["encoder"]["choice"])["complete"]:
            if time.perf_counter() - started > START_SECONDS:
                raise EndpointError(f"no backend was chosen within {START_SECONDS:.0f} s: {choice}")
            time.sleep(0.2)
        yield Service(Endpoint(port, server), ready, time.perf_counter() - started)


def _problem(port: int) -> str | None:
    try:
        get(port, "/health/ready")
    except (OSError, EndpointError) as error:
        return str(error)
    return None
