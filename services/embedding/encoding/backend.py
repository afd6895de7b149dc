"""What computes the vectors of a batch."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.embedding.encoding.names import BackendName
from services.embedding.encoding.shapes import Shapes

Vectors = NDArray[np.float32]
Features = Mapping[str, NDArray[np.int64]]
"""What the model reads of a batch, `(texts, tokens)` each: `input_ids`, `attention_mask`, and what else it knows."""

SMALLEST_NORM = 1e-12


class OutOfMemory(Exception):
    """The device has no room for this batch; a smaller one may fit."""


class Backend(Protocol):
    """One way to compute a model, in the memory of this process. Used by one thread at a time."""

    @property
    def name(self) -> BackendName:
        """Library and precision."""

    @property
    def shapes(self) -> Shapes:
        """Which batches it is given, because every new shape may cost it a compilation."""

    def forward(self, features: Features) -> Vectors:
        """Compute one batch.

        Returns:
            Unit vectors, `(texts, dimension)`.

        Raises:
            OutOfMemory: The device has no room for the batch.
        """


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Scale rows to length 1; a row of zeros stays one, and one with values that are no numbers keeps some."""
    single = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(single, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):  # of what is not finite; callers look for that
        return np.asarray(single / np.maximum(norms, SMALLEST_NORM), dtype=np.float32)
