"""The cross-encoder: pairs of texts to scores. It blocks, so it is called from a thread of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

BATCH_CHARACTERS = 16_384
"""Of the texts of a batch, the longest one counted for each: about what 4,096 tokens are."""
BATCH_PAIRS = 32
LONGEST = 8_000
"""Characters of a document that are looked at; models read some hundred tokens."""

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LoadedReranker:
    """A version of the re-ranker in memory.

    Attributes:
        name: Registered name.
        version: Its number.
        digest: Of its artifacts.
        model: What computes.
    """

    name: str
    version: str
    digest: str
    model: CrossEncoder

    def forward(self, query: str, documents: Sequence[str]) -> Scores:
        """Score one batch.

        Returns:
            How likely each document answers the query, from 0 to 1.
        """
        logits = self.model.predict(
            [(query, document[:LONGEST]) for document in documents],
            batch_size=len(documents),
            show_progress_bar=False,
        )
        # In double precision, since good documents would all have the same single 1.0.
        return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(logits, dtype=np.float64), -500, 500))))


def batches(documents: Sequence[str]) -> Iterator[list[int]]:
    """Yield which documents to score together: those of about the same length, the shortest first."""
    order = sorted(range(len(documents)), key=lambda row: len(documents[row]))
    batch: list[int] = []
    for row in order:
        length = min(len(documents[row]), LONGEST)
        if batch and (len(batch) == BATCH_PAIRS or length * (len(batch) + 1) > BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
