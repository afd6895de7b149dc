"""How much memory a process that scores has to itself."""

import os
from collections.abc import Callable
from pathlib import Path

GROWTH = 1.1
"""How many times what a process had after its first chunk it may have in any case: a new one would have as much."""
KIB = 1024


def resident(pid: int) -> int | None:
    """Return the bytes of memory of a process, with what it shares; None where the system does not tell."""
    try:
        _, pages, *_ = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def private(pid: int) -> int | None:
    """Return the bytes of memory that a process shares with no other one; None where the system does not tell.

    The kernel looks at each page for it.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return KIB * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


class Ceiling:
    """Says after each chunk whether a process has grown past what it may have.

    Args:
        most: Bytes of private memory.
        pid: The process.
        resident: Reads all of its memory, which is quick.
        private: Reads its private memory, only when all of it is more than `most`.
    """

    def __init__(
        self,
        most: int,
        pid: int,
        resident: Callable[[int], int | None] = resident,
        private: Callable[[int], int | None] = private,
    ) -> None:
        self._most = most
        self._pid = pid
        self._resident = resident
        self._private = private
        self._first: int | None = None

    def passed(self) -> int | None:
        """Return the bytes of private memory when they are too many, else None."""
        memory = None
        if (self._resident(self._pid) or 0) > self._most:
            memory = self._private(self._pid)
        if self._first is None:
            self._first = memory or 0
            return None
        return memory if memory is not None and memory > max(self._most, GROWTH * self._first) else None
