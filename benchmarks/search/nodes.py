"""The platform's services as processes on the benchmark's own database, as an operator starts them."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.search.clients import Caller, RefusedError
from benchmarks.serving.backing import service_settings
from benchmarks.serving.processes import Launch, Server, StartError
from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 900.0
"""The first start downloads the model and chooses how to compute it."""
PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Node:
    """A running service.

    Attributes:
        url: Where it listens.
        server: Its process.
    """

    url: str
    server: Server


@contextmanager
def embedding_node(settings: Mapping[str, str], home: Path, folder: Path) -> Iterator[Node]:
    """Run the embedding service without its cache: every query is embedded.

    Args:
        settings: Of the stack, with the benchmark's databases.
        home: Where it keeps the model for the next run.
        folder: For its log.

    Raises:
        StartError: It is not ready in time.
    """
    port = choose_port([])
    variables = {
        "ML_HOME": str(home),
        "ML_EMBEDDING_PORT": str(port),
        "ML_EMBEDDING_CACHE_ENTRIES": "0",
    }
    with _node("embedding", settings, variables, port, folder) as node:
        deadline = time.monotonic() + START_SECONDS
        while not _has_chosen(node):
            if time.monotonic() > deadline:
                raise StartError("the embedding service does not come to a choice of how to compute")
            time.sleep(PAUSE)
        yield node


@contextmanager
def search_node(
    settings: Mapping[str, str], embedding: Node, folder: Path, exact_rows: int | None = None
) -> Iterator[Node]:
    """Run the search service without its cache and its probe: every query is ranked, and nothing else.

    Args:
        settings: Of the stack, with the benchmark's databases.
        embedding: Embeds its queries.
        folder: For its log.
        exact_rows: Items up to which every vector is compared, however long that takes; None for what is usual.

    Raises:
        StartError: It is not ready in time.
    """
    port = choose_port([])
    variables = {
        "ML_HOME": str(folder),
        "ML_EMBEDDING_URL": embedding.url,
        "ML_SEARCH_PORT": str(port),
        "ML_SEARCH_CACHE_TTL": "0",
        "ML_SEARCH_PROBE_INTERVAL": "0",
    }
    if exact_rows is not None:
        variables |= {"ML_SEARCH_EXACT_ROWS": str(exact_rows), "ML_SEARCH_LEG_TIMEOUT": "60s"}
    with _node("search", settings, variables, port, folder) as node:
        yield node


@contextmanager
def _node(
    name: str, settings: Mapping[str, str], variables: Mapping[str, str], port: int, folder: Path
) -> Iterator[Node]:
    given = {
        **service_settings(dict(settings)),
        "ML_AUTH_ENABLED": "false",
        "ML_RATE_LIMIT_ENABLED": "false",
        "ML_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }
    launch = Launch([sys.executable, "-m", f"services.{name}"], given | dict(variables), ROOT)
    url = f"http://127.0.0.1:{port}"
    with Server(launch, folder / f"{name}.log") as server:
        server.start(_readiness(url), START_SECONDS)
        yield Node(url, server)


def _readiness(url: str) -> Callable[[], str | None]:
    def problem() -> str | None:
        try:
            Caller(url).get("/health/ready")
        except (OSError, RefusedError) as error:
            return str(error)
        return None

    return problem


def backend(node: Node) -> str:
    """Return what the embedding service computes with."""
    return str(_encoder(node)["backend"])


def _has_chosen(node: Node) -> bool:
    choice = _encoder(node)["choice"]
    return choice is None or bool(choice["complete"])


def _encoder(node: Node) -> dict[str, Any]:
    encoder: dict[str, Any] = Caller(node.url).get("/info")["encoder"]
    return encoder
