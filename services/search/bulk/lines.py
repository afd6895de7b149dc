"""A stream of bytes, line by line, without holding more than one line."""

from collections.abc import Iterator
from typing import NamedTuple

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line.

    Attributes:
        number: The first is 1.
        content: Its bytes without the line feed; None when there were more than are read.
    """

    number: int
    content: bytes | None


class LineSplitter:
    """Splits at line feeds. Of a line that is too long nothing is kept but its number.

    Args:
        limit: Longest line, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._number = 0
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that end in a chunk."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._hold(chunk[start:end])
            yield self._line()
            start = end + 1
        self._hold(chunk[start:])

    def end(self) -> Iterator[Line]:
        """Yield the last line when no line feed ended it."""
        if self._held:
            yield self._line()

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held > self._limit:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _line(self) -> Line:
        self._number += 1
        content = None if self._held > self._limit else b"".join(self._parts)
        self._parts.clear()
        self._held = 0
        if self._number == 1 and content is not None:
            content = content.removeprefix(BYTE_ORDER_MARK)
        return Line(self._number, content)
