"""How long the stack takes to start, and how much memory it holds."""

import time
from dataclasses import dataclass

from mlplatform.stack import Stack


@dataclass(frozen=True, slots=True)
class Startup:
    """Figures of one start.

    Attributes:
        seconds: From the call to the last part being healthy.
        resident: Resident memory of every process, in bytes, by part.
    """

    seconds: float
    resident: dict[str, int]


def start(stack: Stack) -> Startup:
    """Start the stack and measure it."""
    begun = time.perf_counter()
    stack.up()
    seconds = time.perf_counter() - begun
    return Startup(seconds, resident(stack))


def resident(stack: Stack) -> dict[str, int]:
    """Return the resident bytes of each part and its children."""
    return {process.name: process.rss for process in stack.processes()}
