"""The hash chain over audit events.

`hash = sha256(prev_hash || canonical)`, where `canonical` is the event as Postgres renders it (`repository.py`) and
`prev_hash` the hash of the event before; the first event follows 32 zero bytes. The head, kept beside the table, is
the id and the hash of the last event. Whoever changes, removes, inserts or reorders events breaks a link; whoever cuts
the tail off leaves a head that names an event no longer there.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Link:
    """One event of the chain."""

    id: int
    canonical: str
    prev_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last event that was appended."""

    id: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.id}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes.

        Raises:
            ValueError: the text is no head.
        """
        number, _, digest = text.partition(":")
        head = cls(int(number), bytes.fromhex(digest))
        if head.id < 0 or len(head.hash) != len(GENESIS):
            raise ValueError("a head is a number, a colon and 64 hexadecimal digits")
        return head


@dataclass(frozen=True, slots=True)
class Break:
    """The first event at which the chain does not hold."""

    id: int
    reason: str


def hash_of(prev_hash: bytes, canonical: str) -> bytes:
    """The hash of an event that follows `prev_hash`."""
    return hashlib.sha256(prev_hash + canonical.encode()).digest()


class ChainCheck:
    """Follows the chain from its start, event by event.

    Args:
        witness: a head noted earlier and kept elsewhere; it shows a chain that was rewritten as a whole.
    """

    def __init__(self, witness: Head | None = None) -> None:
        self.head = Head(0, GENESIS)
        self._witness = witness

    def follow(self, links: Iterable[Link]) -> Break | None:
        """Return the first break among the next events, if there is one."""
        for link in links:
            if link.id != self.head.id + 1:
                return Break(self.head.id + 1, f"event {self.head.id + 1} is missing")
            if link.prev_hash != self.head.hash:
                return Break(link.id, f"event {link.id} does not follow event {self.head.id}")
            if link.hash != hash_of(link.prev_hash, link.canonical):
                return Break(link.id, f"event {link.id} was changed after it was written")
            self.head = Head(link.id, link.hash)
            if self._witness is not None and self._witness.id == link.id and self._witness != self.head:
                return Break(link.id, f"event {link.id} is not the one that was noted as {self._witness}")
        return None

    def finish(self, expected: Head) -> Break | None:
        """Compare the end of the chain with the recorded head."""
        if self._witness is not None and self.head.id < self._witness.id:
            return Break(self.head.id + 1, f"events {self.head.id + 1} to {self._witness.id} were cut off")
        if self.head.id < expected.id:
            return Break(self.head.id + 1, f"events {self.head.id + 1} to {expected.id} were cut off")
        if self.head != expected:
            return Break(self.head.id, f"the recorded head {expected} is not the last event {self.head}")
        return None
