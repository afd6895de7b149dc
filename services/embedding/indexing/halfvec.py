"""Vectors as pgvector takes them in a binary COPY."""

import struct

from services.embedding.encoding.backend import Vectors

HEADER = struct.Struct(">HH")
UNUSED = 0


def encode_halfvecs(vectors: Vectors) -> list[bytes]:
    """Return each row as the binary form of `halfvec`: dimension, two unused bytes, then halves, the high byte first.

    https://github.com/pgvector/pgvector/blob/v0.8.1/src/halfvec.c (`halfvec_recv`)

    Args:
        vectors: Finite values, at most 65,504 each: the largest half.
    """
    header = HEADER.pack(vectors.shape[1], UNUSED)
    return [header + row.tobytes() for row in vectors.astype(">f2")]
