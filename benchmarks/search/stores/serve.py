"""A store as a process of its own, in an environment of its own: orders come as lines of JSON, and answers go back.

Whatever a library prints goes to the log.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import orjson

from benchmarks.search.clients import Ask, Caller, measure
from benchmarks.search.corpus import Chunk, Corpus

Answer = Callable[[str, Sequence[float]], list[int]]
"""Asks for the ten best items by text and vector, and returns their numbers."""


class Store(Protocol):
    """What keeps items and finds them."""

    def load(self, corpus: Corpus) -> dict[str, float]:
        """Store all items and build the indexes; return the seconds of each step, the making of items left out."""

    def asker(self, parameters: Mapping[str, Any], mode: str, tag: str | None) -> Answer:
        """Return what asks queries, for one client.

        Args:
            parameters: Of the queries, as the peer's variant has them.
            mode: vector or hybrid.
            tag: Which items may be found; None for all.
        """

    def size(self) -> int:
        """Return the bytes on the disk."""


def serve(open_store: Callable[[Mapping[str, Any]], Store]) -> None:
    """Take orders until there are no more.

    Args:
        open_store: Opens the store at a place, which the first order names.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    store: Store | None = None
    for line in sys.stdin.buffer:
        order = orjson.loads(line)
        if store is None:
            store = open_store(order)
            answer: dict[str, Any] = {}
        else:
            answer = ORDERS[order.pop("do")](store, order)
        answers.write(orjson.dumps(answer) + b"\n")


def _load(store: Store, order: Mapping[str, Any]) -> dict[str, Any]:
    corpus = Checked(order["items"], order["seed"])
    corpus.centres = np.load(order["centres"])
    seconds = store.load(corpus)
    return {"seconds": seconds, "checksum": corpus.checksum, "bytes": store.size()}


def _find(store: Store, order: Mapping[str, Any]) -> dict[str, Any]:
    answer = store.asker(order["parameters"], order["mode"], order["tag"])
    return {"found": [answer(text, vector) for text, vector in zip(order["texts"], order["vectors"], strict=True)]}


def _time(store: Store, order: Mapping[str, Any]) -> dict[str, Any]:
    """Measure as a caller of the platform would: the query is a text, and is embedded by the same service."""

    def make() -> Ask:
        caller = Caller(order["embedding_url"])
        answer = store.asker(order["parameters"], order["mode"], order["tag"])
        return lambda query: len(answer(query, caller.embed(query)))

    return measure(make, order["queries"], clients=order["clients"], wanted=order["wanted"]).as_dict()


ORDERS = {"load": _load, "find": _find, "time": _time}


class Checked(Corpus):
    """Items, with a checksum of those that were made.

    Attributes:
        checksum: Of all chunks so far.
    """

    checksum = 0

    def chunks(self) -> Iterator[Chunk]:
        """Yield the items."""
        for chunk in super().chunks():
            self.checksum = chunk.checksum(self.checksum)
            yield chunk
