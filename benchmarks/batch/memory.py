"""The most memory that each process of a worker has held."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.serving.processes import Server

LOOK = 0.1
KIB = 1024
MAIN, HELPER, SCORER = "worker", "helper", "scorer"


class Peaks:
    """What was seen so far.

    Attributes:
        by_process: Bytes, by what a process is and its number.
    """

    def __init__(self) -> None:
        self.by_process: dict[tuple[str, int], int] = {}

    def look(self, server: Server) -> None:
        """Ask the kernel for the highest resident memory of each process since it was started."""
        family = server.family()
        if not family:
            return
        root = family[0].pid
        for member in family:
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                parent = member.ppid()
                kind = MAIN if member.pid == root else HELPER if parent == root else SCORER
                if (peak := _peak(member.pid)) is not None:
                    self.by_process[kind, member.pid] = peak

    def of(self, kind: str) -> list[int]:
        """Return the peaks of the processes of a kind, in bytes, largest first."""
        return sorted((peak for (one, _), peak in self.by_process.items() if one == kind), reverse=True)


@contextmanager
def watching(server: Server) -> Iterator[Peaks]:
    """Look every now and then for the time of the block, and once more at its end."""
    peaks, done = Peaks(), threading.Event()

    def watch() -> None:
        while not done.wait(LOOK):
            peaks.look(server)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        done.set()
        thread.join()
        peaks.look(server)


def _peak(pid: int) -> int | None:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * KIB
    return None
