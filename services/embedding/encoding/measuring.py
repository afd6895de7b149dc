"""How fast a backend is, in a second or two."""

import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.embedding.encoding.backend import Backend, Vectors
from services.embedding.encoding.names import ON_GPUS
from services.embedding.encoding.packing import pack
from services.embedding.encoding.tokens import Tokeniser, Tokens

QUERY = "how do heat shields protect a spacecraft"
PASSES = 3
PASS_SECONDS = 2.0
QUERIES = 40
QUERY_SECONDS = 0.5
MILLISECONDS = 1000


class Speed(NamedTuple):
    """How fast a backend is."""

    texts_per_second: float
    query_milliseconds: float


def encode(backend: Backend, tokeniser: Tokeniser, tokens: Sequence[Tokens], budget: int) -> Vectors:
    """Compute texts in batches within the budget.

    Returns:
        Unit vectors in the order of the texts.
    """
    rows: list[Vectors | None] = [None] * len(tokens)
    for batch in pack([len(text) for text in tokens], budget, backend.shapes):
        vectors = backend.forward(tokeniser.pad([tokens[place] for place in batch], backend.shapes))
        for place, vector in zip(batch, vectors, strict=True):
            rows[place] = vector
    return np.stack([row for row in rows if row is not None])


def pass_seconds(
    backend: Backend, tokeniser: Tokeniser, tokens: Sequence[Tokens], *, budget: int, threads: int
) -> float:
    """Measure how long the texts take, once.

    On a processor it goes by processor time, as if the threads had their cores for themselves: a service starts beside
    others that start, and by the clock the choice would fall on what was measured in a quiet moment.

    Args:
        backend: What is measured.
        tokeniser: Makes its batches.
        tokens: The texts.
        budget: Most tokens of a batch.
        threads: Threads of one batch.
    """
    clock, share = (time.perf_counter, 1) if backend.name in ON_GPUS else (time.process_time, threads)
    started = clock()
    encode(backend, tokeniser, tokens, budget)
    return (clock() - started) / share


def texts_per_second(
    backend: Backend, tokeniser: Tokeniser, tokens: Sequence[Tokens], *, budget: int, threads: int
) -> float:
    """Measure throughput, in the fastest of a few passes; arguments as those of `pass_seconds`."""
    end = time.perf_counter() + PASS_SECONDS
    encode(backend, tokeniser, tokens, budget)  # compiles the shapes
    seconds: list[float] = []
    while len(seconds) < PASSES and (not seconds or time.perf_counter() < end):
        seconds.append(pass_seconds(backend, tokeniser, tokens, budget=budget, threads=threads))
    return len(tokens) / min(seconds)


def query_milliseconds(backend: Backend, tokeniser: Tokeniser) -> float:
    """Measure how long one query takes, the median of many."""
    tokens = tokeniser([QUERY])
    backend.forward(tokeniser.pad(tokens, backend.shapes))  # compiles the shape
    took: list[float] = []
    end = time.perf_counter() + QUERY_SECONDS
    while len(took) < QUERIES and (not took or time.perf_counter() < end):
        started = time.perf_counter()
        backend.forward(tokeniser.pad(tokens, backend.shapes))
        took.append(time.perf_counter() - started)
    return statistics.median(took) * MILLISECONDS
