"""Files of lines cut into ranges of whole records."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from services.model_serving.batch.tables.lines import Ends, LineScanner, Offsets


@dataclass(frozen=True, slots=True)
class LineRange:
    """Records of a file, which is a chunk.

    Attributes:
        start: Its first byte.
        stop: Behind its last byte.
        first: Number of its first record.
        records: How many it has; blank lines are none.
        too_long: Whether it is one record, longer than any may be, which is not read.
    """

    start: int
    stop: int
    first: int
    records: int
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How large the parts of a file may be.

    Attributes:
        size: Bytes of a range, which a range of one record may exceed.
        records: Of a range.
        longest: Bytes of a record.
    """

    size: int
    records: int
    longest: int


def cut_lines(blocks: Iterable[bytes], scanner: LineScanner, limits: Limits) -> Iterator[LineRange]:
    """Cut what a scanner has not seen yet; only the offsets of one range and of one block are in memory.

    Args:
        blocks: Of the file, from where the scanner is.
        scanner: That finds the ends of records.
        limits: Of a range.
    """
    cutter = _Cutter(scanner.offset, limits)
    for block in blocks:
        yield from cutter.add(scanner.scan(block))
    yield from cutter.add(scanner.finish())
    yield from cutter.rest()


class _Cutter:
    """Gathers records until a range is full."""

    def __init__(self, start: int, limits: Limits) -> None:
        self._limits = limits
        self._seen = start
        self._first = 0
        self._starts = self._stops = np.empty(0, np.int64)

    def add(self, ends: Ends) -> Iterator[LineRange]:
        """Take ends of lines, and yield the ranges that are full."""
        if not len(ends.offsets):
            return
        starts = np.concatenate([[self._seen], ends.offsets[:-1]])[~ends.blank]
        stops = ends.offsets[~ends.blank]
        self._seen = int(ends.offsets[-1])
        begin = 0
        for place in np.flatnonzero(stops - starts > self._limits.longest):
            yield from self._gather(starts[begin:place], stops[begin:place])
            yield from self.rest()
            yield LineRange(int(starts[place]), int(stops[place]), self._first, 1, too_long=True)
            self._first += 1
            begin = int(place) + 1
        yield from self._gather(starts[begin:], stops[begin:])

    def rest(self) -> Iterator[LineRange]:
        """Yield what was gathered since the last full range."""
        if len(self._stops):
            yield self._take(len(self._stops))

    def _gather(self, starts: Offsets, stops: Offsets) -> Iterator[LineRange]:
        self._starts = np.concatenate([self._starts, starts])
        self._stops = np.concatenate([self._stops, stops])
        while len(self._stops):
            fit = int(np.searchsorted(self._stops, self._starts[0] + self._limits.size, "right"))
            if fit == len(self._stops) and fit < self._limits.records:
                return
            yield self._take(max(1, min(fit, self._limits.records)))

    def _take(self, records: int) -> LineRange:
        found = LineRange(int(self._starts[0]), int(self._stops[records - 1]), self._first, records)
        self._starts, self._stops = self._starts[records:], self._stops[records:]
        self._first += records
        return found
