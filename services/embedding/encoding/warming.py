"""The first batches of a backend, before it serves."""

import math
import time
from collections.abc import Callable

from services.embedding.encoding.backend import Backend
from services.embedding.encoding.tokens import Tokeniser, Tokens

SECONDS = 4.0
ALONE = (4, 14, 22, 30, 62, 122, 242)
"""Tokens of the texts that are encoded where no shape has to be compiled."""


def warm_up(backend: Backend, tokeniser: Tokeniser, budget: int, *, go_on: Callable[[], bool]) -> int:
    """Encode a batch of each shape, as far as there is time: the first one compiles it, and a request would wait.

    It goes from the smallest to the largest, since to compile one takes about as long as another, and a search waits
    for the small ones. The time is looked at between two batches.

    Args:
        backend: What is to serve.
        tokeniser: Makes its batches.
        budget: Most tokens of a batch.
        go_on: Asked before each batch.

    Returns:
        How many shapes were computed.
    """
    (text,) = tokeniser(["word " * tokeniser.max_tokens])
    shapes = [(1, tokens) for tokens in ALONE]
    if backend.shapes.few:
        shapes = sorted(backend.shapes.within(budget, tokeniser.max_tokens), key=math.prod)
    end = time.perf_counter() + SECONDS
    for done, (texts, length) in enumerate(shapes):
        if not go_on() or time.perf_counter() > end:
            return done
        cut = Tokens({name: values[:length] for name, values in text.features.items()}, truncated=False)
        backend.forward(tokeniser.pad([cut] * texts, backend.shapes))
    return len(shapes)
