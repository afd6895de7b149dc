"""The comparisons that the targets are about, each once more side by side: a machine changes within a run."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.serving.cells import EIGHT, ONE, PEAK, TREES_ONE, Cell
from benchmarks.serving.contender import Contender, Running, start
from benchmarks.serving.environments import Environment
from benchmarks.serving.pairs import WARM_UP_SECONDS, Pair, alternate
from benchmarks.serving.peers import MLFLOW
from benchmarks.serving.platform import NAME
from benchmarks.serving.subjects import Subject
from benchmarks.serving.summary import best, of_loads, ratio
from benchmarks.serving.wrk import Load

PEERS = ("KServe", "LitServe", "BentoML", "Ray Serve")
SETTLE_SECONDS = 1.0
"""Of load after a halt, for whatever became due meanwhile; not counted."""
RATE, HALF = "requests_per_second", "p50_ms"


@dataclass(frozen=True, slots=True)
class Duel:
    """What is compared with whom.

    Attributes:
        name: In the results.
        groups: The products, whose best configuration in the rounds is the opponent.
        cell: What is measured.
        figure: What decides.
        high: Whether more of it is better.
    """

    name: str
    groups: tuple[str, ...]
    cell: Cell
    figure: str
    high: bool


AGAINST_MLFLOW = Duel("c=32, mlflow", (MLFLOW,), PEAK, RATE, high=True)
AGAINST_PEERS = Duel("c=32, others", PEERS, PEAK, RATE, high=True)
LATENCY = Duel("c=1, mlflow", (MLFLOW,), ONE, HALF, high=False)
TREES = Duel("LightGBM, c=1, mlflow", (MLFLOW,), TREES_ONE, RATE, high=True)
DUELS = (AGAINST_MLFLOW, AGAINST_PEERS, LATENCY, TREES)


def names(duel: Duel, contenders: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the best own configuration in the rounds, and the best opponent; None when one was not measured."""
    own = best(contenders, (NAME,), duel.cell.name, duel.figure, high=duel.high)
    other = best(contenders, duel.groups, duel.cell.name, duel.figure, high=duel.high)
    return None if own is None or other is None else (own[0], other[0])


def fight(
    cell: Cell,
    contenders: Sequence[Contender],
    *,
    environments: Mapping[str, Environment],
    subjects: Mapping[str, Subject],
    folder: Path,
    seconds: float,
    slices: int,
) -> Pair:
    """Measure two contenders that are both started; the one that is not measured is halted.

    Raises:
        StartError: one of them does not start, or predicts something else.
        RuntimeError: one of them failed requests.
    """
    with ExitStack() as stack:
        ways: list[Callable[[], Load]] = []
        for contender in contenders:
            running = start(contender, subjects[cell.subject], environments.get(contender.requirements or ""), folder)
            stack.enter_context(running.server)
            EIGHT.run(running, WARM_UP_SECONDS)
            running.server.halt()
            ways.append(lambda running=running: _measure(cell, running, seconds))
        return alternate(ways[0], ways[1], slices)


def _measure(cell: Cell, running: Running, seconds: float) -> Load:
    running.server.go_on()
    cell.run(running, SETTLE_SECONDS)
    load = cell.run(running, seconds)
    running.server.halt()
    if load.failed:
        raise RuntimeError(f"{running.name} failed {load.failed} requests beside its opponent")
    return load


def of_duel(duel: Duel, own: str, other: str, pair: Pair) -> dict[str, Any]:
    """Return both sides, and the median of the ratios of neighbouring slices: above 1, this platform is ahead."""
    first, second = of_loads(pair.first), of_loads(pair.second)
    ratios = [
        ratio(of_loads([one])[duel.figure], of_loads([another])[duel.figure])
        for one, another in zip(pair.first, pair.second, strict=True)
    ]
    return {
        "own": own,
        "other": other,
        "own_figures": first,
        "other_figures": second,
        "ratio": median(ratios if duel.high else [ratio(1, entry) for entry in ratios]),
    }
