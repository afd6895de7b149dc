"""Where the records of a text file end, found block by block.

A line end within quotes ends no record. As pyarrow reads CSV, a quote opens a value only where the value begins, so a
quote elsewhere, as in `5" pipe`, is text. Where every second quote opens a value that way, which is the rule, counting
quotes is enough; the others are walked through.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
NEWLINE, RETURN, QUOTE = b'\n\r"'


class Place(Enum):
    """Where the next byte is."""

    START = auto()
    """At the beginning of a value."""
    VALUE = auto()
    QUOTED = auto()
    AFTER = auto()
    """Behind a quote in a quoted value: it ends there, unless another quote follows."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Ends of records.

    Attributes:
        offsets: In the file, each behind the line end.
        blank: Whether there is nothing in the line, which is no record then.
    """

    offsets: Offsets
    blank: npt.NDArray[np.bool_]


class LineScanner:
    """Finds the ends of records in the blocks of a file, given in their order.

    Args:
        start: Offset of the first block, at which a record begins.
        delimiter: Between the values of CSV; None for JSONL, where every newline ends a record.
    """

    def __init__(self, start: int, delimiter: str | None) -> None:
        self._offset = self._last = start
        self._place = Place.START
        self._returned = False
        self._quotes = delimiter is not None
        marks = re.escape((delimiter or "").encode())
        self._opening = re.compile(rb"(?<=[\r\n" + marks + rb'])"')
        self._starts = frozenset((delimiter or "").encode() + b"\r\n")

    @property
    def offset(self) -> int:
        """Bytes of the file up to where it is."""
        return self._offset

    def scan(self, block: bytes) -> Ends:
        """Return the ends within a block; that of a record which ends with its last byte may come with the next one."""
        if not block:
            return _NONE
        array = np.frombuffer(block, np.uint8)
        candidates = self._candidates(block, array)
        if self._quotes:
            candidates = self._unquoted(block, array, candidates)
        ends = candidates + (self._offset + 1)
        returned = self._returned
        if self._quotes and returned and block[0] != NEWLINE:
            ends = np.concatenate([[self._offset], ends])
        self._returned = block[-1] == RETURN and self._place is not Place.QUOTED
        lengths = np.diff(ends, prepend=self._last)
        blank = lengths == 1
        short = np.flatnonzero(lengths == 2)  # noqa: PLR2004 (perhaps a return and a newline)
        last = ends[short] - 1 - self._offset
        blank[short[last > 0]] = array[last[last > 0] - 1] == RETURN
        blank[short[last == 0]] = returned
        self._offset += len(block)
        if len(ends):
            self._last = int(ends[-1])
        return Ends(ends, blank)

    def finish(self) -> Ends:
        """Return the end of the last record where no newline follows it."""
        if self._offset == self._last:
            return _NONE
        blank = self._returned and self._offset - self._last == 1
        return Ends(np.array([self._offset]), np.array([blank]))

    def _candidates(self, block: bytes, array: npt.NDArray[np.uint8]) -> Offsets:
        found = array == NEWLINE
        if self._quotes and RETURN in block:
            returns = array[:-1] == RETURN  # the last one waits for what follows it
            found[:-1] |= returns & (array[1:] != NEWLINE)
        return np.flatnonzero(found)

    def _unquoted(self, block: bytes, array: npt.NDArray[np.uint8], candidates: Offsets) -> Offsets:
        """Leave out those within quotes, and note where the block ends."""
        if QUOTE not in block:
            if self._place is Place.QUOTED:
                return candidates[:0]
            self._place = self._end(block)
            return candidates
        quotes = np.flatnonzero(array == QUOTE)
        inside = self._place is Place.QUOTED
        openings = quotes[int(inside) :: 2]
        if not self._all_open(array, openings):
            return self._walk(block, candidates)
        before = np.searchsorted(quotes, candidates) + inside
        if (len(quotes) + inside) % 2:
            self._place = Place.QUOTED
        else:
            self._place = self._end(block)
        outside: npt.NDArray[np.bool_] = before % 2 == 0
        return candidates[outside]

    def _all_open(self, array: npt.NDArray[np.uint8], openings: Offsets) -> bool:
        """Whether these quotes are each where a value begins, or behind one that they make a quote within quotes."""
        if len(openings) and openings[0] == 0:
            if self._place is Place.VALUE:
                return False
            openings = openings[1:]
        before = array[openings - 1]
        return bool(np.isin(before, [QUOTE, *self._starts]).all())

    def _end(self, block: bytes) -> Place:
        """Return where a block ends that does not end within quotes."""
        if block[-1] == QUOTE:
            return Place.AFTER
        return Place.START if block[-1] in self._starts else Place.VALUE

    def _walk(self, block: bytes, candidates: Offsets) -> Offsets:
        """Do the same one quoted value after the other."""
        starts: list[int] = []
        stops: list[int] = []
        position = 0
        quoted = self._place is Place.QUOTED or (self._place is not Place.VALUE and block[0] == QUOTE)
        if quoted:
            position = int(self._place is not Place.QUOTED)
        while True:
            start = 0
            if not quoted:
                if (found := self._opening.search(block, position)) is None:
                    break
                start, position = found.span()
            starts.append(start)
            stop = self._close(block, position)
            stops.append(stop)
            position, quoted = stop + 1, False
        self._place = self._end_of_walk(block, stops)
        nearest = np.searchsorted(starts, candidates, "right") - 1
        return candidates[(nearest < 0) | (candidates > np.array([*stops, -1])[nearest])]

    def _close(self, block: bytes, position: int) -> int:
        """Return where a quoted value ends that goes on at a position; the length of the block when it does not."""
        while (closing := block.find(b'"', position)) >= 0:
            if block[closing + 1 : closing + 2] != b'"':
                return closing
            position = closing + 2
        return len(block)

    def _end_of_walk(self, block: bytes, stops: Sequence[int]) -> Place:
        if stops and stops[-1] == len(block):
            return Place.QUOTED
        if stops and stops[-1] == len(block) - 1:
            return Place.AFTER
        return Place.START if block[-1] in self._starts else Place.VALUE


_NONE = Ends(np.empty(0, np.int64), np.empty(0, np.bool_))
