"""How much memory the build of an HNSW index takes.

pgvector keeps the whole graph in `maintenance_work_mem` while it builds; what no longer fits is inserted row by row,
which takes longer. Workers share one such area, which is allocated in full when the build begins; so an
ample figure costs memory that nobody uses, and fails where shared memory is short.
"""

from dataclasses import dataclass

LINKS = 16
"""`m`, by pgvector's default: neighbours of a vector in each layer, twice as many in the lowest."""
LINK_BYTES = 16
ELEMENT_BYTES = 160
"""Of a vector besides its links and its values: https://github.com/pgvector/pgvector/blob/v0.8.1/src/hnsw.h
(`HnswElementData`, `HnswNeighborArray`), with the header of a halfvec."""
MARGIN = 1.2
"""For vectors that are added during the build, and what the allocator rounds up."""
LEAST_BYTES = 8 * 2**20
RESERVED_BYTES = 4 * 2**20
"""Of the area, for what is not the graph."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a build may take.

    Attributes:
        memory: Most bytes of `maintenance_work_mem`.
        workers: Processes that help the one that builds.
    """

    memory: int
    workers: int


def graph_bytes(vectors: int, dimension: int) -> int:
    """Return about how many bytes the graph of so many halfvecs takes.

    A vector has 2·m links in the lowest layer, m in each higher one, and is in 1 / (m - 1) of those on the average.
    """
    links = 2 * LINKS + LINKS / (LINKS - 1)
    return int(MARGIN * vectors * (2 * dimension + links * LINK_BYTES + ELEMENT_BYTES))


def build_memory(vectors: int, dimension: int, ceiling: int) -> int:
    """Return the bytes of `maintenance_work_mem` to build with: what the graph takes, as far as the ceiling allows."""
    return min(ceiling, max(LEAST_BYTES, RESERVED_BYTES + graph_bytes(vectors, dimension)))
