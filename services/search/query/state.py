"""What a query must know of the index before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from services.search.filters import Filters

EVERY_TYPE = "*"
Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True)
class Space:
    """The embedding space that is searched.

    Attributes:
        id: Number, which names the table of the vectors.
        model: Registered model.
        version: Version of the model that made the space.
        digest: Of the model's weights.
        dimension: Of the vectors.
        vectors: About how many there are, of all tenants.
    """

    id: int
    model: str
    version: str
    digest: str
    dimension: int
    vectors: int


@dataclass(frozen=True, slots=True)
class State:
    """The index as one tenant sees it at one moment.

    Attributes:
        space: None before the first one was made.
        generation: Changes with every transaction that changed an item of the tenant.
        pending: Whether items wait for their embedding.
        weights: Weight of the vectors by entity type; `*` for all others.
        reranks: How many results are re-ranked, the same way.
        failed: Whether there are items that could not be embedded.
    """

    space: Space | None
    generation: int
    pending: bool
    weights: Mapping[str, float] = field(default_factory=dict)
    reranks: Mapping[str, int] = field(default_factory=dict)
    failed: bool = False

    def weight(self, filters: Filters) -> float | None:
        """Return the weight of the only entity type asked for, else that of all types; None when none is set."""
        return _of(self.weights, filters)

    def rerank(self, filters: Filters) -> int | None:
        """Return how many results are re-ranked, chosen as the weight is; None when it is not set."""
        return _of(self.reranks, filters)


def _of(settings: Mapping[str, Setting], filters: Filters) -> Setting | None:
    types = filters.entity_types
    own = settings.get(types[0]) if types is not None and len(set(types)) == 1 else None
    return settings.get(EVERY_TYPE) if own is None else own
