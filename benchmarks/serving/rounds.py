"""The rounds: in each, every contender is started, measured and stopped, each round in another order."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving import poison
from benchmarks.serving.cells import CELLS, EIGHT, PEAK
from benchmarks.serving.contender import Contender, Running, start
from benchmarks.serving.environments import Environment
from benchmarks.serving.generation import CONNECTIONS, Generation
from benchmarks.serving.open_loop import Flood, Slice
from benchmarks.serving.poison import Collateral
from benchmarks.serving.processes import Memory, StartError
from benchmarks.serving.subjects import LINEAR, Subject
from benchmarks.serving.wrk import Load, WrkError

OVERLOAD = 3.0
"""Times the capacity."""
CALIBRATION = 2_000_000
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Overload:
    """Capacity, right before, and what came of a flood."""

    capacity: float
    flood: Flood


@dataclass(slots=True)
class Seen:
    """Everything that the rounds saw of one contender.

    Attributes:
        loads: By cell, one for each round.
        cold_starts: Seconds from start to the first right prediction.
        memory: With one model, after the cells.
        poison: By kind of the bad request.
        overloads: One, when it was flooded.
        problem: Why it was given up; empty when it was not.
    """

    loads: dict[str, list[Load]] = field(default_factory=lambda: defaultdict(list))
    cold_starts: list[float] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    poison: dict[str, Collateral] = field(default_factory=dict)
    overloads: list[Overload] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        seconds: For each cell.
        cells: Names of the cells.
        bursts: With a bad request among good ones; 0 leaves that out.
        flood_seconds: Of a flood in the first round; 0 leaves that out.
        patience: Seconds that the answers to a flood are waited for.
    """

    seconds: float
    cells: frozenset[str]
    bursts: int
    flood_seconds: float
    patience: float


def run(
    contenders: Sequence[Contender],
    plan: Plan,
    *,
    environments: Mapping[str, Environment],
    subjects: Mapping[str, Subject],
    rounds: int,
    folder: Path,
    report: Callable[[str], None],
) -> tuple[dict[str, Seen], list[float]]:
    """Measure all contenders, round by round.

    Returns:
        What was seen of each, and how many milliseconds a fixed piece of work took at the start of each round, which
        tells how even the machine was.
    """
    seen = {contender.name: Seen() for contender in contenders}
    calibrations = []
    for number in range(rounds):
        calibrations.append(calibrate())
        first = number * max(1, len(contenders) // max(1, rounds))
        for contender in (*contenders[first:], *contenders[:first]):
            found = seen[contender.name]
            if found.problem:
                continue
            report(f"round {number + 1} of {rounds}: {contender.name}")
            environment = environments.get(contender.requirements or "")
            try:
                for name in contender.subjects:
                    visit(
                        contender,
                        plan,
                        environment=environment,
                        subject=subjects[name],
                        number=number,
                        folder=folder,
                        seen=found,
                    )
            except (StartError, WrkError, RuntimeError) as error:
                found.problem = str(error)
                report(f"{contender.name} is given up: {error}")
    return seen, calibrations


def visit(
    contender: Contender,
    plan: Plan,
    *,
    environment: Environment | None,
    subject: Subject,
    number: int,
    folder: Path,
    seen: Seen,
) -> None:
    """Start a contender, measure it once, and stop it.

    Raises:
        StartError: it does not start, or predicts something else.
    """
    cells = [
        cell for cell in CELLS if cell.name in plan.cells and cell.subject == subject.name and cell.suits(contender)
    ]
    bursts = plan.bursts if subject.name == LINEAR and number == 0 else 0
    flood_seconds = plan.flood_seconds if subject.name == LINEAR and number == 0 else 0
    if not cells and not bursts and not flood_seconds:
        return
    running = start(contender, subject, environment, folder)
    with running.server:
        EIGHT.run(running, WARM_UP_SECONDS)
        for cell in cells:
            seen.loads[cell.name].append(cell.run(running, plan.seconds))
        if subject.name == LINEAR:
            seen.cold_starts.append(running.server.cold_start)
            seen.memory.append(running.server.memory())
        if bursts:
            seen.poison |= {kind: poison.measure(running, kind, bursts) for kind in poison.BAD}
        if flood_seconds:
            seen.overloads.append(overload(running, flood_seconds, plan.patience))


def overload(running: Running, seconds: float, patience: float) -> Overload:
    """Measure the capacity, and then send three times as much."""
    capacity = PEAK.run(running, seconds).requests_per_second
    encoding = running.contender.encoding
    message = running.message(encoding, 1)
    slices = [Slice(OVERLOAD * capacity, CONNECTIONS)]
    floods = Generation(running.url(encoding), message, slices, seconds=seconds, patience=patience).result()
    return Overload(capacity, floods[0])


def calibrate() -> float:
    """Return the milliseconds that a fixed piece of work takes."""
    begun = time.perf_counter()
    total = 0
    for number in range(CALIBRATION):
        total += number
    return (time.perf_counter() - begun) * 1000
