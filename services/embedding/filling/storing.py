"""Vectors into a space, most often one that is not searched."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from services.embedding.encoding.backend import Vectors
from services.embedding.filling import repository
from services.embedding.indexing.encoding import Outcome


class Version(Protocol):
    """An item as it was when its text was read."""

    @property
    def entity_type(self) -> str:
        """Its kind."""

    @property
    def entity_id(self) -> str:
        """Its id within the kind."""

    @property
    def content_sha256(self) -> str:
        """Digest of its text."""

    @property
    def generation(self) -> int:
        """How often it had been written."""


class Stored(NamedTuple):
    """How many items of a slice were stored, and how many the model cannot take; the others have changed since."""

    stored: int
    failed: int


async def store(
    connection: repository.Connection, space_id: int, items: Sequence[Version], positions: Sequence[int], found: Outcome
) -> Stored:
    """Store what became of some items, in a transaction of their tenant.

    Args:
        connection: The transaction.
        space_id: The space.
        items: All that were encoded together.
        positions: Those of them that are this tenant's.
        found: What became of all.
    """
    good = [at for at in positions if at not in found.reasons]
    failed = [at for at in positions if at in found.reasons]
    stored = refused = 0
    if good:
        rows = [(*_version(items[at]), literal(found.vectors[at]), at in found.truncated) for at in good]
        stored = await repository.save_vectors(connection, space_id, rows)
    if failed:
        reasons = [(*_version(items[at]), found.reasons[at]) for at in failed]
        refused = await repository.save_failures(connection, space_id, reasons)
    if stored or refused:
        await repository.raise_generation(connection, space_id)
    return Stored(stored, refused)


def literal(vector: Vectors) -> str:
    """Write a vector as pgvector reads it; halfvec keeps about three digits, so five are plenty."""
    return "[" + ",".join(f"{value:.5g}" for value in vector.tolist()) + "]"


def _version(item: Version) -> tuple[str, str, str, int]:
    return item.entity_type, item.entity_id, item.content_sha256, item.generation
