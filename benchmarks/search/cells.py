"""What is timed."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.search.corpus import TAGS


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of query.

    Attributes:
        mode: hybrid, vector or lexical.
        tag: Which items may be found; None for all.
    """

    mode: str
    tag: str | None = None

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.mode if self.tag is None else f"{self.mode}, {share(self.tag)}"


def share(tag: str) -> str:
    """Return the share of the items that have a tag."""
    return f"{100 * TAGS[tag]:g} %"


FILTERS = [tag for tag in TAGS if tag != "all"]
CELLS = (
    Cell("hybrid"),
    *(Cell("hybrid", tag) for tag in FILTERS),
    Cell("vector"),
    *(Cell("vector", tag) for tag in FILTERS),
    Cell("lexical"),
)


def queries_of(cell: Cell, queries: Sequence[str]) -> Sequence[str]:
    """Return the queries of a cell: no query is asked in two cells, so that no cache of anybody knows it."""
    size = len(queries) // len(CELLS)
    start = CELLS.index(cell) * size
    return queries[start : start + size]
