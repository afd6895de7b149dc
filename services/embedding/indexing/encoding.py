"""Encoding texts together, so that one that the model cannot take fails alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from services.embedding.batcher import Batcher
from services.embedding.encoding.backend import Vectors
from services.embedding.errors import EncodingFailedError


class Outcome(NamedTuple):
    """What became of some texts.

    Attributes:
        vectors: One row a text; what it holds for a text that failed means nothing.
        reasons: Why, for the position of each text that failed.
        truncated: Positions of the texts that were longer than the model reads.
    """

    vectors: Vectors
    reasons: dict[int, str]
    truncated: frozenset[int] = frozenset()


async def encode(batcher: Batcher, texts: Sequence[str]) -> Outcome:
    """Encode the texts of items, with the prompt that the model has for documents.

    Those that fail together are halved until only those fail that make the others fail.

    Raises:
        ModelNotLoaded: The service is stopping.
    """
    try:
        found = await batcher.encode(texts, prompt=batcher.document_prompt, refuse_when_full=False)
    except EncodingFailedError as error:
        if len(texts) == 1:
            return Outcome(np.zeros((1, 1), dtype=np.float32), {0: error.detail})
        middle = len(texts) // 2
        return _joined(await encode(batcher, texts[:middle]), await encode(batcher, texts[middle:]))
    return Outcome(found.vectors, dict(_not_finite(found.vectors)), frozenset(found.truncated))


def _joined(first: Outcome, second: Outcome) -> Outcome:
    """Put two outcomes together. A text that failed alone has one value, so the rows take the longer width."""
    offset = len(first.vectors)
    width = max(first.vectors.shape[1], second.vectors.shape[1])
    vectors = np.zeros((offset + len(second.vectors), width), dtype=np.float32)
    vectors[:offset, : first.vectors.shape[1]] = first.vectors
    vectors[offset:, : second.vectors.shape[1]] = second.vectors
    reasons = first.reasons | {offset + position: why for position, why in second.reasons.items()}
    return Outcome(vectors, reasons, first.truncated | {offset + position for position in second.truncated})


def _not_finite(vectors: Vectors) -> Iterator[tuple[int, str]]:
    for position in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        yield int(position), "The model returned a vector with values that are no numbers."
