"""One text's vector with what else is known of it, and its form in the cache."""

from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

KEY_BYTES = 32
_HEAD = Struct(f"<{KEY_BYTES}sI?3x")
_FLOAT = np.dtype("<f4")


class Row(NamedTuple):
    """What the model made of a text.

    Attributes:
        vector: The unit vector, float32.
        tokens: How many the model read.
        truncated: Whether the text was longer than the model reads.
    """

    vector: NDArray[np.float32]
    tokens: int
    truncated: bool


def pack(key: bytes, row: Row) -> bytes:
    """Write a row, with its key, as little-endian float32."""
    return _HEAD.pack(key, row.tokens, row.truncated) + row.vector.astype(_FLOAT, copy=False).tobytes()


def unpack(entry: bytes | str | None, key: bytes, dimension: int) -> Row | None:
    """Read a row; None when there is none, or when it is another key's or of another form.

    Args:
        entry: As Redis gives it; a client that decodes would give text.
        key: The row's.
        dimension: Of its vector.
    """
    if not isinstance(entry, bytes) or len(entry) != size_of(dimension) or not entry.startswith(key):
        return None
    _, tokens, truncated = _HEAD.unpack_from(entry)
    vector = np.frombuffer(entry, _FLOAT, offset=_HEAD.size).astype(np.float32, copy=False)
    return Row(vector, tokens, truncated)


def size_of(dimension: int) -> int:
    """Bytes of an entry."""
    return _HEAD.size + dimension * _FLOAT.itemsize


def shorten(vectors: NDArray[np.float32], dimensions: int | None) -> NDArray[np.float32]:
    """Keep the first components and make the vectors' length one again, as models of the Matryoshka kind intend.

    Args:
        vectors: Unit vectors, `(texts, dimension)`.
        dimensions: How many to keep; None for all.
    """
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    kept = vectors[:, :dimensions]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return np.asarray(kept / np.where(lengths > 0, lengths, 1), dtype=np.float32)
