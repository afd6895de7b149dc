"""An item that has words."""

from typing import NamedTuple


class Hit(NamedTuple):
    """An item that was found; the score is BM25, 0 or more."""

    entity_type: str
    entity_id: str
    score: float
