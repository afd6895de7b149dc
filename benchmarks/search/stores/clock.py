"""Seconds by step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Adds up how long the steps of a load take.

    Attributes:
        seconds: By step.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of the block."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def rounded(self) -> dict[str, float]:
        """Return the seconds as they are shown."""
        return {name: round(value, 2) for name, value in self.seconds.items()}
