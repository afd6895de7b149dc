"""Goodput of this platform under a flood, against its peak, in slices that alternate."""

from dataclasses import dataclass

from benchmarks.serving.cells import EIGHT, PEAK
from benchmarks.serving.contender import Running
from benchmarks.serving.generation import CONNECTIONS, Generation
from benchmarks.serving.open_loop import Flood, Slice
from benchmarks.serving.rounds import OVERLOAD, WARM_UP_SECONDS


@dataclass(frozen=True, slots=True)
class Floods:
    """Slices at the peak, and flooded slices, in the order in which they were measured.

    Attributes:
        capacity: Predictions per second in a closed loop, right before.
    """

    capacity: float
    peaks: list[Flood]
    floods: list[Flood]


def measure(running: Running, *, seconds: float, slices: int, patience: float) -> Floods:
    """Alternate between the peak and three times as much.

    Both are sent by the same generator, for it takes its part of the cores that the server needs: at the peak over so
    few connections that none of its requests waits for long, and flooded over more than the server can answer.

    Args:
        running: The server.
        seconds: Of each slice.
        slices: Of each kind.
        patience: Seconds that the last answers of a slice are waited for.
    """
    encoding = running.contender.encoding
    url, message = running.url(encoding), running.message(encoding, 1)
    EIGHT.run(running, WARM_UP_SECONDS)
    capacity = PEAK.run(running, seconds).requests_per_second
    rate = OVERLOAD * capacity
    planned = [Slice(rate, PEAK.connections), Slice(rate, CONNECTIONS)] * slices
    seen = Generation(url, message, planned, seconds=seconds, patience=patience).result()
    return Floods(capacity, seen[::2], seen[1::2])
