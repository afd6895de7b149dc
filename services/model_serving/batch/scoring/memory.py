"""How much memory a process that scores has to itself."""

import os
from collections.abc import Callable
from pathlib import Path

from services.model_serving.batch.scoring.watch import Took

GROWTH = 1.1
"""How many times what a process had with its versions loaded it may have in any case: a new one would have as much."""
WORTH = 10
"""How many times as long as it took to load its versions a process works before it is replaced."""
LEAP = 2
"""How many times what a process had with its versions loaded is too much however little it has worked."""
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

    The next process loads the versions again. So what they take does not count, and one that has worked for less than
    `WORTH` times as long as it took to load them is replaced only when most of what it has is not theirs.

    Args:
        most: Bytes of private memory.
        versions: How many the process keeps.
        pid: The process.
        resident: Reads all of its memory, which is quick.
        private: Reads its private memory, after a version was loaded or when all of it is more than `most`.
    """

    def __init__(
        self,
        most: int,
        versions: int,
        pid: int,
        resident: Callable[[int], int | None] = resident,
        private: Callable[[int], int | None] = private,
    ) -> None:
        self._most = most
        self._room = versions
        self._pid = pid
        self._resident = resident
        self._private = private
        self._first: int | None = None
        self._loading = 0.0
        self._work = 0.0

    def passed(self, took: Took) -> int | None:
        """Return the bytes of private memory when they are too many, else None.

        Args:
            took: How long the last chunk took.
        """
        self._work += took.work
        fills = False
        if took.loading is not None and self._room:  # else it took the place of another one
            fills = True
            self._room -= 1
            self._loading += took.loading
        if fills or self._first is None:
            self._first = max(self._first or 0, self._private(self._pid) or 0)
            return None
        if (self._resident(self._pid) or 0) <= self._most:
            return None
        memory = self._private(self._pid)
        if memory is None or memory <= max(self._most, GROWTH * self._first):
            return None
        return memory if self._work >= WORTH * self._loading or memory > LEAP * self._first else None
