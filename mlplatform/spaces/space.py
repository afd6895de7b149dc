"""What a space is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.rows import DictRow

from mlplatform.spaces.indexes.index import Index


class SpaceState(StrEnum):
    """How far the life of a space is."""

    PLANNED = "planned"
    """Asked for; no node has loaded its model yet."""
    BUILDING = "building"
    """Being filled; what is written meanwhile goes into it too."""
    ACTIVE = "active"
    """Searched."""
    STANDBY = "standby"
    """Was searched, and is kept up to date for a roll-back."""
    RETIRED = "retired"
    """Its vectors are gone."""


@dataclass(frozen=True, slots=True)
class Space:
    """A table of vectors.

    Attributes:
        id: Number of the table `embeddings_<id>`.
        model: Registered model that fills it.
        version: Version of that model when the space was made.
        digest: Digest of its weights and tokenizer.
        dimension: Length of a vector.
    """

    id: int
    model: str
    version: str
    digest: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Fill:
    """How far the filling of a space is.

    Attributes:
        number: Of the pass over all items.
        seen: Items gone over in this pass.
        lacking: Those of them that had no vector of their text.
        stored: Vectors stored by all passes.
        complete_at: When a pass found nothing lacking; None when none has yet.
        holder: The node that fills.
        problem: Why nothing happens.
    """

    number: int
    seen: int
    lacking: int
    stored: int
    complete_at: datetime | None
    holder: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class SpaceRecord:
    """A space with all that is known of it.

    Attributes:
        id: Number.
        model: Registered model.
        version: Version of that model.
        digest: Digest of its weights; None while planned.
        dimension: Length of a vector; None while planned.
        state: How far its life is.
        requested_by: Who asked for it.
        note: Why it is as it is.
        created_at: When it was asked for.
        changed_at: When it came into its state.
        fill: How far its filling is; None for one that is gone.
        index: The index of its vectors; None while it has no table.
    """

    id: int
    model: str
    version: str
    digest: str | None
    dimension: int | None
    state: SpaceState
    requested_by: str
    note: str | None
    created_at: datetime
    changed_at: datetime
    fill: Fill | None
    index: Index | None

    @property
    def space(self) -> Space | None:
        """The table; None while there is none."""
        if self.digest is None or self.dimension is None or self.state is SpaceState.RETIRED:
            return None
        return Space(self.id, self.model, self.version, self.digest, self.dimension)

    @classmethod
    def of(cls, row: DictRow) -> "SpaceRecord":
        """Read a row of `repository.list_spaces`."""
        fill = None
        if row["pass"] is not None:
            fill = Fill(
                row["pass"],
                row["seen"],
                row["lacking"],
                row["stored"],
                row["complete_at"],
                row["holder"],
                row["problem"],
            )
        return cls(
            row["id"],
            row["model"],
            row["model_version"],
            row["digest"],
            row["dim"],
            SpaceState(row["state"]),
            row["requested_by"],
            row["note"],
            row["created_at"],
            row["changed_at"],
            fill,
            Index.of(row),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what programs read: the API and `--json`."""
        fill = self.fill
        return {
            "id": self.id,
            "model": self.model,
            "version": self.version,
            "digest": self.digest,
            "dimension": self.dimension,
            "state": self.state.value,
            "requested_by": self.requested_by,
            "note": self.note,
            "created_at": self.created_at.isoformat(),
            "changed_at": self.changed_at.isoformat(),
            "fill": None
            if fill is None
            else {
                "pass": fill.number,
                "seen": fill.seen,
                "lacking": fill.lacking,
                "stored": fill.stored,
                "complete_at": None if fill.complete_at is None else fill.complete_at.isoformat(),
                "holder": fill.holder,
                "problem": fill.problem,
            },
            "index": None if self.index is None else self.index.as_dict(),
        }
