"""How long tenants wait for the first result of a small job: alone, and while another one has a long backlog."""

import math
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.batch.backlog import BATCH, Backlog
from benchmarks.batch.desk import Desk, at_once
from benchmarks.batch.models import COLUMNS, NAMES, Published
from benchmarks.batch.nodes import Nodes

SMALL = 8
"""Items of a small job."""
BACKLOG = 10_000
"""Items of a job of the tenant that has many, and the fewest that it must have waiting all the time."""
DECIMALS = 4
SEED = 8


def first_results(nodes: Nodes, model: Published, jobs: int, step: Callable[[], None]) -> dict[str, Any]:
    """Submit small jobs, one after the other's end, and measure how long the first result of each takes."""
    desk = Desk.of(nodes, "first")
    rows = make_rows(SMALL)
    cold = _wait_for_job(desk, model, rows)
    at_once(lambda: _wait_for_job(desk, model, rows), 2 * nodes.processes)
    waits = []
    for _ in range(jobs):
        waits.append(_wait_for_job(desk, model, rows))
        step()
    return {"jobs": jobs, "items": SMALL, "cold_ms": round(1000 * cold, 1), **_summary(waits)}


def fairness(
    nodes: Nodes,
    model: Published,
    *,
    tenants: int,
    interval: float,
    backlog: int,
    step: Callable[[], None],
) -> dict[str, Any]:
    """Have all tenants but one submit a small job each, at equal intervals: first alone, then beside a backlog.

    Args:
        nodes: The services.
        model: That all use.
        tenants: How many there are.
        interval: Seconds between the jobs of two tenants.
        backlog: Jobs of 10,000 items that the one tenant has waiting while the others come again.
        step: Called when a tenant has its result.
    """
    rows = make_rows(SMALL)
    desks = [Desk.of(nodes, f"tenant-{number:03}") for number in range(1, tenants)]
    at_once(lambda: _wait_for_job(desks[0], model, rows), 2 * nodes.processes)
    idle = _arrivals(desks, model, rows, interval, step)
    order = {"model": model.name, "inputs": make_rows(BACKLOG), "report": False}
    with Backlog(Desk.of(nodes, "tenant-000"), order, BACKLOG, backlog) as waiting:
        busy = _arrivals(desks, model, rows, interval, step)
        fewest = waiting.fewest
    found = {"idle": _summary(idle), "busy": _summary(busy)}
    return {
        "tenants": tenants,
        "interval_s": interval,
        "backlog_fewest": fewest,
        "backlog_lasted": fewest >= BACKLOG,
        **found,
        "ratio": round(found["busy"]["p95_ms"] / found["idle"]["p95_ms"], 3),
    }


def make_rows(count: int) -> list[dict[str, float]]:
    """Return rows of the model as JSON has them."""
    numbers = np.random.default_rng(SEED).normal(size=(count, COLUMNS)).round(DECIMALS)
    return [dict(zip(NAMES, row, strict=True)) for row in numbers.tolist()]


def _arrivals(
    desks: Sequence[Desk],
    model: Published,
    rows: Sequence[dict[str, float]],
    interval: float,
    step: Callable[[], None],
) -> list[float]:
    """Let tenants come one after the other, whether those before have their result or not; return their waits."""
    waits = [math.nan] * len(desks)

    def come(place: int) -> None:
        waits[place] = _wait_for_job(desks[place], model, rows)
        step()

    threads = []
    begun = time.monotonic()
    for place in range(len(desks)):
        time.sleep(max(0.0, begun + place * interval - time.monotonic()))
        threads.append(threading.Thread(target=come, args=(place,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return waits


def _wait_for_job(desk: Desk, model: Published, rows: Sequence[dict[str, float]]) -> float:
    """Return the seconds from the request to the first result."""
    begun = time.perf_counter()
    job = desk.submit(BATCH, json={"model": model.name, "inputs": rows})
    result = desk.first_result(job)
    seconds = time.perf_counter() - begun
    if result["state"] != "succeeded":
        raise RuntimeError(f"{job}: {result}")
    return seconds


def _summary(waits: Sequence[float]) -> dict[str, float]:
    """Return the quantiles of waits, in milliseconds; endless when somebody got no result."""
    found = sorted(1000 * (math.inf if math.isnan(wait) else wait) for wait in waits)
    return {
        "p50_ms": round(statistics.median(found), 1),
        "p95_ms": round(found[max(0, math.ceil(0.95 * len(found)) - 1)], 1),
        "most_ms": round(found[-1], 1),
    }
