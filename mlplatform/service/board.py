"""What the processes of one service tell each other, in memory that they share."""

import mmap
import os
import struct
from dataclasses import dataclass
from time import monotonic

LONGEST_SILENCE = 30.0
"""Seconds after which a process that says nothing counts as stuck."""

SLACK = 8
"""A process has more than its share of the connections when it has an eighth more than another, and one."""

_SLOT = struct.Struct("=qd??")
_COUNT = struct.Struct("=q")


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
        self._connections = mmap.mmap(-1, processes * _COUNT.size)

    def write(self, index: int, *, ready: bool, wants_renewal: bool) -> None:
        """Say how the calling process is."""
        _SLOT.pack_into(self._memory, index * _SLOT.size, os.getpid(), monotonic(), ready, wants_renewal)

    def clear(self, index: int) -> None:
        """Forget a process that has ended."""
        _SLOT.pack_into(self._memory, index * _SLOT.size, 0, 0.0, False, False)
        self.count(index, 0)

    def read(self, index: int) -> Slot:
        """Return what a process said last."""
        return Slot(*_SLOT.unpack_from(self._memory, index * _SLOT.size))

    def waited_for(self) -> list[int]:
        """List the processes that are not ready, or stuck."""
        return [index for index in range(self.processes) if not (self.read(index).ready and self._is_heard(index))]

    def wants_renewal(self) -> bool:
        """Whether any process would share more memory if it were forked anew."""
        return any(self.read(index).wants_renewal for index in range(self.processes))

    def count(self, index: int, connections: int) -> None:
        """Say how many connections the calling process has."""
        _COUNT.pack_into(self._connections, index * _COUNT.size, connections)

    def is_ahead(self, index: int, more: int) -> bool:
        """Whether a process has more than its share of the connections.

        Args:
            index: The process.
            more: Connections that it has and has not counted yet.
        """
        counts: list[int] = [count for (count,) in _COUNT.iter_unpack(self._connections)]
        others = [count for other, count in enumerate(counts) if other != index and self._is_heard(other)]
        if not others:
            return False
        least = min(others)
        return counts[index] + more > least + 1 + least // SLACK

    def _is_heard(self, index: int) -> bool:
        slot = self.read(index)
        return slot.pid != 0 and monotonic() - slot.heard <= LONGEST_SILENCE
