"""Where the next page begins."""

import base64
import binascii
from dataclasses import dataclass

import orjson

from services.search.errors import CursorRefused
from services.search.query.query import DEEPEST

FORM = 3
LONGEST = 512
DEEPEST_LEG = 1000


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a ranking.

    Attributes:
        query: Fingerprint of the query; the cursor is good for this one only.
        ranking: Key of the ranking, which names the generation of the index and the parts that failed among others.
        position: Results before it.
        depth: How many candidates each leg proposed.
    """

    query: str
    ranking: str
    position: int
    depth: int

    def write(self) -> str:
        """Return the cursor as the API shows it."""
        parts = [FORM, self.query, self.ranking, self.position, self.depth]
        return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()

    @classmethod
    def read(cls, text: str, query: str) -> "Cursor":
        """Read a cursor of this query.

        Raises:
            CursorRefused: It is none, or that of another query.
        """
        try:
            form, own, ranking, position, depth = orjson.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        except (ValueError, TypeError, binascii.Error) as error:
            raise CursorRefused("is not a cursor that this service gave") from error
        is_cursor = isinstance(own, str) and isinstance(ranking, str) and ranking.isalnum()
        are_numbers = type(position) is int and type(depth) is int
        if form != FORM or not (is_cursor and are_numbers and 0 <= position <= DEEPEST and 0 < depth <= DEEPEST_LEG):
            raise CursorRefused("is not a cursor that this service gave")
        if own != query:
            raise CursorRefused("belongs to another query: repeat the query, mode, fusion, weight and filters")
        return cls(own, ranking, position, depth)
