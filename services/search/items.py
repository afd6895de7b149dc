"""What is searched for."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]
"""Entity type and id."""


def number_array(numbers: Iterable[int]) -> str:
    """Write numbers of items as Postgres reads an array; psycopg would look at each number of a list."""
    return f"{{{','.join(map(str, numbers))}}}"


@dataclass(frozen=True, slots=True)
class Item:
    """Something with a text.

    Attributes:
        entity_type: Its kind.
        entity_id: Its id within the kind.
        text: What is embedded.
        metadata: What can be filtered by, a JSON object.
        tags: What else can be filtered by.
    """

    entity_type: str
    entity_id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()

    @property
    def key(self) -> Key:
        """What names the item within its tenant."""
        return self.entity_type, self.entity_id

    @property
    def content_sha256(self) -> str:
        """Digest of what is embedded; metadata and tags are not."""
        return hashlib.sha256(self.text.encode()).hexdigest()
