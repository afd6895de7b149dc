"""Somebody who encodes texts: the service, another server, or the library in this process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedding.endpoint import PER_REQUEST, Endpoint
from benchmarks.embedding.infinity import Running
from benchmarks.embedding.names import IN_REQUESTS, LIBRARY, NAME
from benchmarks.embedding.rate import Rate
from benchmarks.embedding.reference import BATCH, Reference
from benchmarks.embedding.service import Service

LIBRARY_QUERIES = 50


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who encodes texts.

    Attributes:
        name: What reports call it.
        settings: In words.
        encode: Encodes texts.
        rate: Measures how fast.
        milliseconds: Says how long each query takes.
        endpoint: Where it is asked; None for the library in this process.
    """

    name: str
    settings: str
    encode: Callable[[Sequence[str]], NDArray[np.float32]]
    rate: Callable[[Sequence[str]], Rate]
    milliseconds: Callable[[Sequence[str]], list[float]]
    endpoint: Endpoint | None

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Let it run for the time of the block only."""
        if self.endpoint is None:
            yield
            return
        with self.endpoint.awake():
            yield


def make_contenders(reference: Reference, served: Service, others: Sequence[Running]) -> list[Contender]:
    """Return all of them, in the order of reports."""
    own = f"as installed, {served.encoder()['backend']}"

    def alone(queries: Sequence[str]) -> list[float]:
        return [reference.milliseconds(query) for query in queries[:LIBRARY_QUERIES]]

    return [
        _over_http(NAME, own, served.endpoint),
        *(_over_http(other.engine.name, other.engine.settings, other.endpoint) for other in others),
        Contender(LIBRARY, f"fp32, batches of {BATCH}, one call", reference.encode, reference.rate, alone, None),
        Contender(
            IN_REQUESTS,
            f"fp32, batches of {BATCH}, a call for {PER_REQUEST} texts",
            reference.encode,
            reference.rate_in_requests,
            alone,
            None,
        ),
    ]


def _over_http(name: str, settings: str, endpoint: Endpoint) -> Contender:
    return Contender(name, settings, endpoint.encode, endpoint.rate, endpoint.milliseconds, endpoint)
