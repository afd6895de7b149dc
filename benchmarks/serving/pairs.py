"""Two ways that are close to each other, measured in slices that alternate, so that both meet the same machine."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.cells import BINARY_THOUSAND, EIGHT, THOUSAND, Cell
from benchmarks.serving.contender import Contender, Running, start
from benchmarks.serving.subjects import Subject
from benchmarks.serving.wrk import Load

WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Slices of two ways, in the order in which they were measured."""

    first: list[Load]
    second: list[Load]


def alternate(first: Callable[[], Load], second: Callable[[], Load], slices: int) -> Pair:
    """Measure each way so often; who goes first changes every time."""
    pair = Pair([], [])
    for number in range(slices):
        order = [(first, pair.first), (second, pair.second)]
        for way, loads in order if number % 2 == 0 else reversed(order):
            loads.append(way())
    return pair


def compare_settings(
    cell: Cell, first: Contender, second: Contender, *, subject: Subject, folder: Path, seconds: float, slices: int
) -> Pair:
    """Measure a cell of two configurations that run side by side; the one that is not measured rests.

    Raises:
        StartError: one of them does not start, or predicts something else.
    """
    with ExitStack() as stack:
        running = []
        for contender in (first, second):
            started = start(contender, subject, None, folder)
            stack.enter_context(started.server)
            EIGHT.run(started, WARM_UP_SECONDS)
            running.append(started)
        return alternate(lambda: cell.run(running[0], seconds), lambda: cell.run(running[1], seconds), slices)


def compare_encodings(running: Running, seconds: float, slices: int) -> Pair:
    """Measure 1000 rows as JSON in MLflow's split form, and as binary tensors."""
    return alternate(lambda: THOUSAND.run(running, seconds), lambda: BINARY_THOUSAND.run(running, seconds), slices)
