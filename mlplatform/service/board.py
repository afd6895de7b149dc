"""What the processes of one service tell each other, in memory that they share."""

import mmap
import os
import struct
from dataclasses import dataclass
from time import monotonic

LONGEST_SILENCE = 30.0
"""Seconds after which a process that says nothing counts as stuck."""

_SLOT = struct.Struct("=qd??")


@dataclass(frozen=True, slots=True)
class Slot:
    """One process.

    Attributes:
        pid: Its id; 0 before it has said anything.
        heard: When it last said something, on the monotonic clock, which all processes share.
        ready: Whether all it needs answers.
        wants_renewal: Whether it would share more memory if it were forked anew.
    """

    pid: int
    heard: float
    ready: bool
    wants_renewal: bool


class Board:
    """A slot for each process of a group; made before they are forked.

    Args:
        processes: How many.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._memory = mmap.mmap(-1, processes * _SLOT.size)

    def write(self, index: int, *, ready: bool, wants_renewal: bool) -> None:
        """Say how the calling process is."""
        _SLOT.pack_into(self._memory, index * _SLOT.size, os.getpid(), monotonic(), ready, wants_renewal)

    def clear(self, index: int) -> None:
        """Forget a process that has ended."""
        _SLOT.pack_into(self._memory, index * _SLOT.size, 0, 0.0, False, False)

    def read(self, index: int) -> Slot:
        """Return what a process said last."""
        return Slot(*_SLOT.unpack_from(self._memory, index * _SLOT.size))

    def waited_for(self) -> list[int]:
        """List the processes that are not ready, or stuck."""
        return [
            index
            for index in range(self.processes)
            if not (slot := self.read(index)).ready or monotonic() - slot.heard > LONGEST_SILENCE
        ]

    def wants_renewal(self) -> bool:
        """Whether any process would share more memory if it were forked anew."""
        return any(self.read(index).wants_renewal for index in range(self.processes))
