"""The HNSW index of a space."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class IndexState(StrEnum):
    """Whether it can be searched."""

    VALID = "valid"
    """It has every vector."""
    INVALID = "invalid"
    """It is being built, or its build was broken off."""
    MISSING = "missing"
    """It is built when the space is filled."""


@dataclass(frozen=True, slots=True)
class Build:
    """How far a build is, as `pg_stat_progress_create_index` has it.

    Attributes:
        phase: What it does.
        done: Blocks of the table that this phase has read.
        total: Those that it reads; 0 when it reads none.
    """

    phase: str
    done: int
    total: int

    @property
    def share(self) -> float:
        """How much of its phase is done, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    def __str__(self) -> str:
        return f"{self.phase} {self.share:.0%}" if self.total else self.phase


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a space.

    Attributes:
        state: Whether it can be searched.
        build: How far its build is; None while none is under way. A valid one is searched while it is built anew.
    """

    state: IndexState
    build: Build | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Index | None":
        """Read a row of `repository.list_spaces`; None for a space without a table."""
        if row["index_state"] is None:
            return None
        build = None
        if row["build_phase"] is not None:
            build = Build(row["build_phase"], row["build_done"], row["build_total"])
        return cls(IndexState(row["index_state"]), build)

    def as_dict(self) -> dict[str, Any]:
        """Return what programs read."""
        build = self.build
        return {
            "state": self.state.value,
            "build": None
            if build is None
            else {"phase": build.phase, "done": build.done, "total": build.total, "share": build.share},
        }
