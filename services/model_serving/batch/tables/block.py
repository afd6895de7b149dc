"""Rows of a table in memory."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(slots=True)
class Block:
    """Consecutive rows.

    Attributes:
        rows: How many, those with faults included.
        table: The rows without faults, a column for each of the model's that the table has.
        places: Of these among all; None when there are no faults.
        faults: Why the others do not fit the model, by their place.
    """

    rows: int
    table: pa.Table
    places: npt.NDArray[np.int64] | None = None
    faults: dict[int, str] = field(default_factory=dict)

    def where(self) -> npt.NDArray[np.int64]:
        """Return the places of the rows without faults."""
        return np.arange(self.rows) if self.places is None else self.places
