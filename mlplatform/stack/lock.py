"""One `mlp` at a time for one stack."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mlplatform.stack.errors import StackError

POLL_SECONDS = 0.1


@contextmanager
def exclusive(path: Path, *, seconds: float, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file, made with its folder when missing; the system frees it when the holder dies.

    Args:
        path: The lock file.
        seconds: How long to wait for another holder.
        waiting: Called once when there is another holder.

    Raises:
        StackError: when the other holder is not done in time.
    """
    deadline = time.monotonic() + seconds
    told = False
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            if try_lock(stream, path):
                yield
                return
        if time.monotonic() > deadline:
            raise StackError(f"another mlp command holds {path}; wait for it or end it")
        if not told:
            waiting()
            told = True
        time.sleep(POLL_SECONDS)


def try_lock(stream: TextIO, path: Path) -> bool:
    """Lock an open file; not when another holds it, or when its last holder has removed it by `reset`."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(stream.fileno()).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
