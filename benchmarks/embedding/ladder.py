"""Every backend in this process on the same texts, in turns."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.embedding.model import FOLDER
from mlplatform.registry.digest import artifact_digest
from services.embedding.encoding.backend import Backend
from services.embedding.encoding.measuring import query_milliseconds, texts_per_second
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.opening import make_export, open_backend
from services.embedding.encoding.selection import ON_PROCESSORS, Selection, obstacle
from services.embedding.encoding.tokens import Tokeniser
from services.embedding.encoding.torch_backend import load_model

Row = dict[str, object]


def climb(texts: Sequence[str], *, threads: int, rounds: int, report: Callable[[str], None]) -> list[Row]:
    """Measure each backend that this machine can run.

    Returns:
        One row a backend: its texts per second and milliseconds of a query, medians over the rounds.
    """
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as cache:
        selection = Selection(folder=FOLDER, digest=artifact_digest(FOLDER), cache=Path(cache), threads=threads)
        backends = _open(selection, report)
        tokeniser = Tokeniser.of(load_model(FOLDER))
        tokens = tokeniser(texts)
        rates: dict[BackendName, list[float]] = {name: [] for name in backends}
        queries: dict[BackendName, list[float]] = {name: [] for name in backends}
        for number in range(rounds):
            report(f"ladder, round {number + 1} of {rounds}")
            for name, backend in backends.items():
                rate = texts_per_second(
                    backend, tokeniser, tokens, budget=selection.token_budget, threads=selection.threads
                )
                rates[name].append(rate)
                queries[name].append(query_milliseconds(backend, tokeniser))
    return [
        {
            "backend": name,
            "texts_per_second": round(statistics.median(rates[name]), 1),
            "query_ms": round(statistics.median(queries[name]), 2),
        }
        for name in backends
    ]


def _open(selection: Selection, report: Callable[[str], None]) -> dict[BackendName, Backend]:
    backends: dict[BackendName, Backend] = {}
    names: list[BackendName] = ["torch-fp32", *ON_PROCESSORS]
    for name in names:
        if (reason := obstacle(name, selection.machine)) is not None:
            report(f"{name} is left out: {reason}")
            continue
        report(f"prepare {name}")
        make_export(name, selection, selection.exports())
        backends[name] = open_backend(name, selection, selection.exports())
    return backends
