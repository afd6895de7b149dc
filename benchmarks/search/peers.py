"""The other stores: what they are, how they are set up, and how their processes are talked to."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
import psutil

from benchmarks.serving.environments import Environment
from benchmarks.serving.processes import WITHHELD

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).parent / "requirements"
TAIL = 12
STOP_SECONDS = 30.0


class GivenUpError(Exception):
    """A store's process ended; the message is the end of its log."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to ask a store.

    Attributes:
        name: What reports call it.
        settings: In words.
        parameters: Of the queries, as the store's own library calls them.
    """

    name: str
    settings: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """A store.

    Attributes:
        name: The product.
        module: What its process runs.
        requirements: Name of its list of packages; None runs in this project's own environment.
        modes: What it can be asked for.
        variants: The ways it is asked; items are loaded once for all of them.
    """

    name: str
    module: str
    requirements: str | None
    modes: Sequence[str]
    variants: Sequence[Variant]


PEERS = (
    Peer(
        "pgvector",
        "benchmarks.search.stores.usual",
        None,
        ("vector", "hybrid"),
        (
            Variant("pgvector", "SQL of its README, settings as they come"),
            Variant(
                "pgvector iterative",
                "the same with iterative scans, ef_search 100",
                {"hnsw.iterative_scan": "relaxed_order", "hnsw.ef_search": 100},
            ),
        ),
    ),
    Peer(
        "lancedb",
        "benchmarks.search.stores.lance",
        "lancedb",
        ("vector", "hybrid"),
        (
            Variant("lancedb", "IVF_PQ, settings as they come"),
            Variant(
                "lancedb refined",
                "the same with 50 probes, the best 100 compared exactly",
                {"nprobes": 50, "refine_factor": 10},
            ),
        ),
    ),
    Peer(
        "chroma",
        "benchmarks.search.stores.chroma",
        "chroma",
        ("vector",),
        (Variant("chroma", "HNSW, settings as they come; no ranking by words"),),
    ),
)


class Process:
    """A store's process.

    Args:
        peer: The store.
        environment: Its packages; None for this project's own.
        place: Where its data are, as its module wants to be told.
        folder: For its log, and what its libraries write.
    """

    def __init__(self, peer: Peer, environment: Environment | None, place: Mapping[str, Any], folder: Path) -> None:
        self._log = folder / f"{peer.name}.log"
        python = sys.executable if environment is None else environment.python
        plain = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(python), "-m", peer.module],
                env={
                    **plain,
                    **({} if environment is None else environment.variables()),
                    "PYTHONPATH": str(ROOT),
                    "HOME": str(folder),
                    "ANONYMIZED_TELEMETRY": "False",
                    "LANCE_LOG": "error",  # else it writes a line for each query
                },
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        try:
            self._order(dict(place))
        except GivenUpError:
            self.close()
            raise

    def do(self, name: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - each order has its own
        """Give an order and wait for its answer.

        Raises:
            GivenUpError: The process has ended.
        """
        return self._order({"do": name, **values})

    def resident_mib(self) -> int:
        """Return the memory that it holds."""
        return round(psutil.Process(self._process.pid).memory_info().rss / 2**20)

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _order(self, order: Mapping[str, Any]) -> dict[str, Any]:
        try:
            self._process.stdin.write(orjson.dumps(order) + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise GivenUpError("\n".join(self._log.read_text(errors="replace").splitlines()[-TAIL:]))
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
