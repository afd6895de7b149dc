"""What was received of a form."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.model_serving.batch.jobs.repository import ChunkInput
from services.model_serving.batch.uploads.arrival import Arrival

SOURCE = "files"


@dataclass(slots=True)
class Received:
    """An upload.

    Attributes:
        arrival: Its room, and what becomes of it.
        fields: The parts that are no files, by name.
        items: What there is to score, as a chunk's source has it.
        files: Number of files.
        size: Bytes of them, as they were sent.
        digest: Of all of them, and of the fields.
    """

    arrival: Arrival
    fields: dict[str, str] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    files: int = 0
    size: int = 0
    digest: bytes = b""

    def note(self, *parts: bytes) -> None:
        """Count something into the digest."""
        digest = hashlib.sha256(self.digest)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        self.digest = digest.digest()


def cut(items: Sequence[dict[str, Any]], size: int) -> list[ChunkInput]:
    """Return chunks of up to `size` items."""
    return [
        ChunkInput(
            range(first, min(first + size, len(items))),
            source={"type": SOURCE, "first": first, "items": list(items[first : first + size])},
        )
        for first in range(0, len(items), size)
    ]
