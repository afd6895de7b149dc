"""What is asked."""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import orjson

from services.search.filters import Filters
from services.search.fusion import Method

Mode = Literal["hybrid", "vector", "lexical"]

CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")
DEEPEST = 10_000
"""Position of the last result that can be asked for."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query, checked.

    Attributes:
        text: What to look for, as `normalised` returns it.
        mode: Which legs look.
        fusion: How two legs become one ranking.
        weight: Of the vectors; None for the one of the index.
        filters: Which items may be found.
        limit: Most results.
        position: Results to skip.
        facets: What to count: `entity_type`, `tags`, `metadata.<key>`.
        highlight: Whether to show where the words are.
        explain: Whether to show how each result came about.
        content: Whether results carry text, metadata and tags.
        rerank: How many of the best candidates are re-ranked; None for as many as the index's setting says.
        depth: How many candidates each leg proposes; the same on each page.
    """

    text: str
    mode: Mode = "hybrid"
    fusion: Method = "convex"
    weight: float | None = None
    filters: Filters = field(default_factory=Filters)
    limit: int = 10
    position: int = 0
    facets: Sequence[str] = ()
    highlight: bool = False
    explain: bool = False
    content: bool = True
    rerank: int | None = None
    depth: int = 0

    def fingerprint(self) -> str:
        """Return what is equal for queries with the same ranking, whatever they show of it."""
        parts = [self.text, self.mode, self.fusion, self.weight, self.filters.key().decode(), self.rerank]
        return hashlib.blake2b(orjson.dumps(parts), digest_size=12).hexdigest()


def normalised(text: str) -> str:
    """Return a query without what does not change its meaning.

    Characters are composed (NFC), and runs of white space and control characters become one space.
    """
    return " ".join(unicodedata.normalize("NFC", text).translate(CONTROLS).split())
