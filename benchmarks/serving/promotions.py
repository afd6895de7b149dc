"""How soon a promoted version answers while its model is under load, and whether a request fails meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.serving.cells import EIGHT
from benchmarks.serving.contender import start
from benchmarks.serving.generation import CONNECTIONS, Generation
from benchmarks.serving.open_loop import Flood, Slice
from benchmarks.serving.platform import Platform
from benchmarks.serving.subjects import LINEAR, Subject
from benchmarks.stack import promotion
from benchmarks.stack.model import register_versions

SHARE = 0.5
"""Of the capacity at 8 connections: a service that is busy, and not one that is drowned."""
LONGEST_SECONDS = 3600.0
PATIENCE = 35.0


@dataclass(frozen=True, slots=True)
class Promotions:
    """What was seen.

    Attributes:
        waits: Seconds from the commit in the ledger to the first answer, of each promotion and roll-back.
        failed: Requests that failed.
        requests: Requests per second that were sent meanwhile.
        load: All that came of them.
    """

    waits: list[float]
    failed: int
    requests: float
    load: Flood


def measure(
    platform: Platform,
    *,
    names: dict[str, str],
    subject: Subject,
    versions: int,
    seconds: float,
    folder: Path,
    report: Callable[[str], None],
) -> Promotions:
    """Promote versions and roll them back with `scripts/promote_model.py`, under load.

    Raises:
        StartError: the service does not start.
        RuntimeError: a promotion failed, or its version did not answer in time.
    """
    model = platform.name("promoted")
    report(f"promotion: register {versions} versions")
    row = register_versions(platform.settings["ML_MLFLOW_URL"], model, versions)
    contender = platform.contender("ml-platform promoted", names | {"promoted": model}, "default")
    running = start(contender, subject, None, folder)
    with running.server:
        environment = platform.settings | {"ML_SERVING_URL": running.address}
        promotion.measure(environment, model, row, 1, report)
        loaded = replace(running, contender=replace(contender, names={LINEAR: model}))
        encoding = contender.encoding
        capacity = EIGHT.run(loaded, seconds).requests_per_second
        generation = Generation(
            loaded.url(encoding),
            loaded.message(encoding, 1),
            [Slice(SHARE * capacity, CONNECTIONS)],
            seconds=LONGEST_SECONDS,
            patience=PATIENCE,
        )
        try:
            waits, failed = promotion.measure(environment, model, row, versions, report, first=2)
        finally:
            generation.stop()
            [flood] = generation.result()
    refused = sum(count for status, count in flood.statuses.items() if status not in {"200", "not sent"})
    return Promotions(waits, failed + refused, flood.sent, flood)
