"""Which items a query may find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Scalar = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that an item must meet, all of them.

    Attributes:
        entity_types: Its type is one of these; None for any.
        tags: It has all of these.
        metadata: For each key its metadata has one of these values, at the top level.
    """

    entity_types: Sequence[str] | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Sequence[Scalar]] = field(default_factory=dict)

    def metadata_documents(self) -> list[list[dict[str, Scalar]]]:
        """Return, for each key, the documents of which the metadata must contain one."""
        return [[{key: value} for value in values] for key, values in self.metadata.items()]
