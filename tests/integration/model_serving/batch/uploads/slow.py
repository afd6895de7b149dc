"""Bodies that come slowly, and what they leave on the disk."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

IN_MEMORY = 1 << 20
"""Bytes of an upload up to which it is no file."""


class SlowBody:
    """A body that stops after its first part until it may go on.

    Args:
        first: What comes at once.
        rest: Comes afterwards.

    Attributes:
        begun: Set when somebody has taken the first part and asks for more.
        go_on: To be set.
        taken: Bytes that were read of it.
    """

    def __init__(self, first: bytes, *rest: bytes) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.taken = 0
        self._first = first
        self._rest = rest
        self.size = len(first) + sum(map(len, rest))

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield it."""
        self.taken += len(self._first)
        yield self._first
        self.begun.set()
        await self.go_on.wait()
        for part in self._rest:
            self.taken += len(part)
            yield part


def spooled_files() -> set[str]:
    """Return the files without a name that this process has open and that have as much as an upload."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target, size = str(descriptor.readlink()), os.fstat(int(descriptor.name)).st_size
        except OSError:  # closed since it was listed
            continue
        if target.endswith("(deleted)") and size > IN_MEMORY:
            found.add(target)
    return found
