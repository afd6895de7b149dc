"""Which of a few backends is the fastest, told by turns.

The speed of a shared machine changes within seconds, and not for every library in the same way: of backends that are
measured one after the other, the one wins that had the better moment.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.embedding.encoding.backend import Backend
from services.embedding.encoding.measuring import Speed, encode, pass_seconds, query_milliseconds
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.tokens import Tokeniser, Tokens

LEAST_ROUNDS = 3
MOST_ROUNDS = 15
SECONDS = 6.0
MOST_SECONDS = 60.0
"""For a large model whose passes take many seconds: each is long enough to level out what the host does."""


class Contender(NamedTuple):
    """A backend, and the most tokens of its batches."""

    backend: Backend
    budget: int


def compare(
    contenders: Mapping[BackendName, Contender], tokeniser: Tokeniser, tokens: Sequence[Tokens], *, threads: int
) -> dict[BackendName, Speed]:
    """Measure backends in turns, each round in the other direction.

    Their throughputs stand to each other as the medians of the ratios within the rounds. A GPU is measured by the clock
    and a processor by its time, so between these two a busy host is not levelled out.

    Args:
        contenders: At least one.
        tokeniser: Makes their batches.
        tokens: The texts.
        threads: Threads of one batch.
    """
    names = list(contenders)
    for contender in contenders.values():
        encode(contender.backend, tokeniser, tokens, contender.budget)  # compiles the shapes
    seconds: dict[BackendName, list[float]] = {name: [] for name in names}
    queries: dict[BackendName, list[float]] = {name: [] for name in names}
    started = time.perf_counter()
    for done in range(MOST_ROUNDS):
        if done and time.perf_counter() - started > (SECONDS if done >= LEAST_ROUNDS else MOST_SECONDS):
            break
        for name in names if done % 2 else reversed(names):
            backend, budget = contenders[name]
            # First the queries: until they are through, the threads of the one before have gone to sleep.
            queries[name].append(query_milliseconds(backend, tokeniser))
            seconds[name].append(pass_seconds(backend, tokeniser, tokens, budget=budget, threads=threads))
    first = seconds[names[0]]
    ratios = {name: statistics.median(map(float.__truediv__, first, seconds[name])) for name in names}
    rate = len(tokens) / statistics.median(first)
    return {name: Speed(rate * ratios[name], statistics.median(queries[name])) for name in names}
