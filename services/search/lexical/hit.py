"""An item that has words."""

from typing import NamedTuple


class Hit(NamedTuple):
    """An item that was found.

    Attributes:
        entity_type: Its type.
        entity_id: Its id.
        score: BM25, 0 or more.
        number: By which postings know it.
    """

    entity_type: str
    entity_id: str
    score: float
    number: int
