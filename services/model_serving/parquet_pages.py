"""What the pages of a Parquet body say of their own size.

The footer says how large a column is, and the header of each page says it again for the page. A reader of pages
believes the header, and nobody compares the two: 12 kB can so become gigabytes, whatever the footer says. A header is
`PageHeader` of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift in Thrift's compact
protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

KIND, UNCOMPRESSED, COMPRESSED, DATA, DICTIONARY, DATA_V2 = 1, 2, 3, 5, 7, 8
VALUES = 1
"""First field of the structures `DATA`, `DICTIONARY` and `DATA_V2`."""
STRUCTURES = {0: DATA, 2: DICTIONARY, 3: DATA_V2}
"""The one that a reader believes of each kind of page; a page of another kind is passed over."""
MOST_STEPS = 100
"""Fields and entries of a header; a real one has some 20."""
MOST_DEPTH = 10
"""Structures and lists within each other; a real header has 3."""
PADDING = 100
"""Bytes behind a column that a reader takes for its own: an old writer left the dictionary out of the length."""
ENTRY = 16
"""Bytes of a dictionary's entry in memory, its text aside."""
FOOTER = 2 * 1024 * 1024
"""Most bytes of the footer. Of a column it can take 3, which become 700 in memory; pandas writes 500 for each."""
LENGTH = slice(-8, -4)
"""Where a file has the length of its footer."""
THRIFT = {"thrift_container_size_limit": 20_000, "thrift_string_size_limit": FOOTER}
"""Longest list and text of the footer: memory for a list is taken before its entries are read."""
_VARINT_BYTES = 10
_I16_BITS, _I32_BITS = 16, 32
_STOP: Final = 0
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST = 15


@dataclass(slots=True)
class Fields:
    """What a structure has; a reader takes a field of another type than it looks for as none.

    Attributes:
        numbers: those of 32 bits.
        structures: those within it.
    """

    numbers: dict[int, int] = field(default_factory=dict)
    structures: "dict[int, Fields]" = field(default_factory=dict)


class PageError(ValueError):
    """A header cannot be read."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of itself.

    Attributes:
        size: bytes when it is decompressed.
        entries: of a dictionary.
        values: of the column.
        effort: bytes of its header that were looked at.
    """

    size: int
    entries: int
    values: int
    effort: int


def pages_of(body: bytes, start: int, length: int, values: int) -> Iterator[Page]:
    """Walk over the pages of a column, as far as a reader of it does.

    Args:
        body: all of the file.
        start: where its first page is.
        length: its bytes, by the footer.
        values: of the column, by the footer.

    Raises:
        PageError: a header is none.
    """
    end, seen = min(start + length + PADDING, len(body)), 0
    while seen < values and 0 <= start < end:
        reader = _Reader(body, start)
        header = reader.struct()
        kind, size, compressed = (_number(header, name) for name in (KIND, UNCOMPRESSED, COMPRESSED))
        inner = header.structures.get(STRUCTURES[kind]) if kind in STRUCTURES else None
        number = 0 if inner is None else _number(inner, VALUES)
        entries, here = (number, 0) if STRUCTURES.get(kind) == DICTIONARY else (0, number)
        page = Page(size, entries, here, reader.effort)
        if min(size, compressed, number) < 0:
            raise PageError
        yield page
        seen += page.values
        start = reader.position + compressed


def _number(header: Fields, name: int) -> int:
    if name not in header.numbers:
        raise PageError
    return header.numbers[name]


class _Reader:
    """Reads structures; keeps what `PageHeader` has of 32-bit numbers and of structures."""

    def __init__(self, body: bytes, position: int) -> None:
        self._body = body
        self.position = position
        self.effort = 0
        self._steps = 0
        self._depth = 0

    def struct(self) -> Fields:
        self._enter()
        found = Fields()
        name = 0
        while (head := self._byte()) & 0x0F != _STOP:
            kind = head & 0x0F
            name = name + (head >> 4) if head >> 4 else _signed(self._varint(), _I16_BITS)
            value = self._value(kind)
            if isinstance(value, int):
                found.numbers[name] = value
            elif value is not None:
                found.structures[name] = value
        self._depth -= 1
        return found

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise PageError

    def _value(self, kind: int) -> int | Fields | None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise PageError
        if kind == _I32:
            return _signed(self._varint(), _I32_BITS)
        if kind == _STRUCT:
            return self.struct()
        if kind in {_I16, _I64}:
            self._varint()
        elif kind in {_LIST, _SET}:
            self._skip_list()
        elif kind not in {_TRUE, _FALSE}:  # in a structure these two are all of the field
            self._skip(self._size(kind))
        return None

    def _skip_list(self) -> None:
        self._enter()
        head = self._byte()
        size = self._varint() if head >> 4 == _LONG_LIST else head >> 4
        for _ in range(size):
            if head & 0x0F in {_TRUE, _FALSE}:
                self._skip(1)
            self._value(head & 0x0F)
        self._depth -= 1

    def _size(self, kind: int) -> int:
        if kind == _BINARY:
            return self._varint()
        if kind not in {_BYTE, _DOUBLE}:
            raise PageError
        return 1 if kind == _BYTE else 8

    def _skip(self, size: int) -> None:
        self.position += size

    def _byte(self) -> int:
        if self.position >= len(self._body):
            raise PageError
        self.position += 1
        self.effort += 1
        return self._body[self.position - 1]

    def _varint(self) -> int:
        number = 0
        for place in range(_VARINT_BYTES):
            byte = self._byte()
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:  # noqa: PLR2004 (the bit that says that another byte follows)
                return number
        raise PageError


def _signed(number: int, bits: int) -> int:
    """Return what a zigzag number means, cut to its bits as Thrift does."""
    number &= (1 << bits) - 1
    return (number >> 1) ^ -(number & 1)
