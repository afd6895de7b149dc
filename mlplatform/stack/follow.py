"""Read a log, and go on reading while it grows."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.2


def follow(path: Path, lines: int) -> Iterator[str]:
    """Yield the last lines of a log and then each new one, also after the log was rotated; never ends."""
    stream = path.open(encoding="utf-8", errors="replace")
    try:
        # The supervisor keeps a log short enough to read whole.
        for line in deque(stream, maxlen=lines):
            yield line.removesuffix("\n")
        while True:
            line = stream.readline()
            if line:
                yield line.removesuffix("\n")
            elif path.is_file() and path.stat().st_ino != os.fstat(stream.fileno()).st_ino:
                stream.close()
                stream = path.open(encoding="utf-8", errors="replace")
            else:
                time.sleep(POLL_SECONDS)
    finally:
        stream.close()
