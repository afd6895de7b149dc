"""Where the registry differs from the ledger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import DictRow

from mlplatform.registry.stages import PREVIOUS


class DriftKind(StrEnum):
    """What happened past the platform."""

    MOVED = "moved"
    DELETED = "deleted"
    UNREGISTERED = "unregistered"
    UNRECORDED = "unrecorded"
    INTERRUPTED = "interrupted"


EVERY_ALIAS = "*"
"""Stands for the alias in an incident that is about the model."""
REMEDIES = {
    DriftKind.MOVED: "it was moved past the platform: promote the version that you want",
    DriftKind.DELETED: "that version was deleted past the platform: promote another",
    DriftKind.UNREGISTERED: "the model was deleted past the platform: promote_model.py verify --repair notes that",
    DriftKind.UNRECORDED: "it was set past the platform and its gates: promote the version that you want",
    DriftKind.INTERRUPTED: "a promotion was interrupted: promote_model.py verify --repair",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One alias that is not where the ledger has it.

    Attributes:
        model: Registered name.
        alias: Which, or `*` for the model as a whole.
        kind: What happened.
        recorded: The version that the ledger has there; None for none.
        found: The version that MLflow has there; None for none.
    """

    model: str
    alias: str
    kind: DriftKind
    recorded: str | None
    found: str | None

    @property
    def message(self) -> str:
        """What was found, and how to mend it."""
        remedy = REMEDIES[self.kind]
        if self.alias == EVERY_ALIAS:
            return f"{remedy}."
        return (
            f"@{self.alias} points to {self.found or 'no version'}, the ledger has {self.recorded or 'none'}: {remedy}."
        )


@dataclass(frozen=True, slots=True)
class Incident:
    """A drift since it was noticed.

    Attributes:
        id: Rises with time.
        drift: What it is.
        detected_at: When it was noticed.
        is_new: Whether this process is the one that noticed it.
    """

    id: int
    drift: Drift
    detected_at: datetime
    is_new: bool = False


def read_incident(row: DictRow, *, is_new: bool) -> Incident:
    """Make an incident of a row."""
    drift = Drift(row["model"], row["alias"], DriftKind(row["kind"]), row["recorded"], row["found"])
    return Incident(row["id"], drift, row["detected_at"], is_new)


def find_drift(
    model: str,
    recorded: Mapping[str, str | None],
    found: Mapping[str, str] | None,
    *,
    is_known: bool = True,
    exists: Callable[[str], bool],
) -> list[Drift]:
    """Compare where the aliases of a model are with where the ledger has them.

    Args:
        model: Registered name.
        recorded: Alias → version by the ledger, for each alias that the platform moves.
        found: Alias → version by MLflow; None when the model is not registered.
        is_known: Whether the model was ever promoted.
        exists: Whether a version of the model does; asked only about versions that an alias should point to.
    """
    if found is None:
        stood = any(recorded.values())
        return [Drift(model, EVERY_ALIAS, DriftKind.UNREGISTERED, None, None)] if stood else []
    drifts = []
    for alias, version in recorded.items():
        present = found.get(alias)
        if present == version:
            continue
        if not is_known:
            if alias != PREVIOUS:
                drifts.append(Drift(model, alias, DriftKind.UNRECORDED, None, present))
            continue
        gone = version is not None and not exists(version)
        drifts.append(Drift(model, alias, DriftKind.DELETED if gone else DriftKind.MOVED, version, present))
    return drifts
