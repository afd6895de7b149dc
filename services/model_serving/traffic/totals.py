"""What this replica saw of experiments, from its start on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.model_serving.traffic.sequential.means import Moments
from services.model_serving.traffic.tally import Outcome, Tally
from services.model_serving.traffic.windows import read_tally, tally_row

NAMES = ("model", "experiment", "epoch", "arm", "version")
Key = tuple[str, str, int, str, str]


@dataclass(slots=True)
class ArmTotal:
    """One arm.

    Attributes:
        tally: its requests.
        outcomes: what callers reported of its answers.
    """

    tally: Tally = field(default_factory=Tally)
    outcomes: Moments = field(default_factory=Moments)

    def add(self, other: "ArmTotal") -> None:
        """Add what was seen elsewhere."""
        self.tally.add(other.tally)
        self.outcomes = self.outcomes.with_all(other.outcomes)


class ExperimentTotals:
    """Counts per arm, and which of them were not sent yet."""

    def __init__(self) -> None:
        self._arms: dict[Key, ArmTotal] = {}
        self._unsent: set[Key] = set()

    def count(self, key: Key, outcome: Outcome, seconds: float) -> None:
        """Count one request of an arm."""
        self._of(key).tally.count(outcome, seconds)

    def record(self, key: Key, value: float) -> None:
        """Count one outcome of an arm."""
        arm = self._of(key)
        arm.outcomes = arm.outcomes.with_value(value)

    def unsent(self, replica: UUID) -> list[dict[str, Any]]:
        """Return the rows that changed since they were last taken, and count them as taken."""
        taken, self._unsent = self._unsent, set()
        return [{**_named(key), "replica": replica, **_row(self._arms[key])} for key in taken]

    def unsend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Count rows as not taken after all."""
        self._unsent |= {(row["model"], row["experiment"], row["epoch"], row["arm"], row["version"]) for row in rows}

    def _of(self, key: Key) -> ArmTotal:
        self._unsent.add(key)
        arm = self._arms.get(key)
        if arm is None:
            arm = self._arms[key] = ArmTotal()
        return arm


def read_arm(row: Mapping[str, Any]) -> ArmTotal:
    """Make the total of an arm of columns."""
    return ArmTotal(read_tally(row), Moments(row["outcomes"], row["mean"], row["deviations"]))


def _named(key: Key) -> dict[str, Any]:
    return dict(zip(NAMES, key, strict=True))


def _row(arm: ArmTotal) -> dict[str, Any]:
    outcomes = arm.outcomes
    return {
        **tally_row(arm.tally),
        "outcomes": outcomes.count,
        "mean": outcomes.mean,
        "deviations": outcomes.deviations,
    }
