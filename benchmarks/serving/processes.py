"""A server as a process of its own: started, waited for, measured and stopped, with everything it has started."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

START_SECONDS = 120.0
STOP_SECONDS = 15.0
PAUSE = 0.02
MIB = 2**20
WITHHELD = ("ML_", "MLFLOW_", "RAY_", "BENTOML_", "INFINITY_", "UVICORN_", "PYTHON", "OTEL_")
"""Settings of the caller's shell that would change how a contender runs."""


class StartError(Exception):
    """A server did not answer as it should; the message ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started: its command, its environment on top of a plain one, and where."""

    command: Sequence[str | Path]
    variables: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server's processes hold, in MiB; proportional memory counts a page shared by n processes as 1/n."""

    resident: float
    proportional: float
    processes: int


@dataclass(slots=True)
class Server:
    """A running server.

    Attributes:
        cold_start: Seconds from starting its process to its first right prediction.
    """

    launch: Launch
    log: Path
    cold_start: float = 0.0
    _process: subprocess.Popen[bytes] | None = None
    _seen: dict[int, psutil.Process] = field(default_factory=dict)

    def start(self, answers: Callable[[], str | None], seconds: float = START_SECONDS) -> Self:
        """Start the process and wait until it answers.

        Args:
            answers: Asks for a prediction; returns None when it is right, and what is wrong otherwise.
            seconds: How long it may take.

        Raises:
            StartError: it ended, or did not answer in time.
        """
        plain = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        begun = time.perf_counter()
        with self.log.open("wb") as stream:
            self._process = subprocess.Popen(
                [str(part) for part in self.launch.command],
                env=plain | self.launch.variables,
                cwd=self.launch.folder,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            problem = self._await(answers, begun, seconds)
        except BaseException:
            self.stop()
            raise
        if problem is None:
            return self
        self.stop()
        tail = self.log.read_text(errors="replace").splitlines()[-12:]
        raise StartError("\n".join([f"no right answer: {problem}", *tail]))

    def _await(self, answers: Callable[[], str | None], begun: float, seconds: float) -> str | None:
        problem: str | None = "it was not asked yet"
        while time.perf_counter() - begun < seconds and self._process.poll() is None:
            problem = answers()
            if problem is None:
                self.cold_start = time.perf_counter() - begun
                return None
            time.sleep(PAUSE)
        return problem

    def family(self) -> list[psutil.Process]:
        """Return the process and everything it has started, as far as it still runs."""
        if self._process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            self._seen |= {member.pid: member for member in (root, *root.children(recursive=True))}
        return [member for member in self._seen.values() if member.is_running()]

    def memory(self) -> Memory:
        """Measure all of its processes."""
        resident = proportional = 0
        members = self.family()
        for member in members:
            with suppress(psutil.Error):
                found = member.memory_full_info()
                resident += found.rss
                proportional += getattr(found, "pss", found.rss)
        return Memory(resident / MIB, proportional / MIB, len(members))

    def halt(self) -> None:
        """Keep its processes from running: even a server that nobody asks may need its share of the processors.

        Raises:
            StartError: One runs on.
        """
        members = self.family()
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.suspend()
        deadline = time.monotonic() + STOP_SECONDS
        while any(_runs(member) for member in members):  # each thread stops when it next returns from the kernel
            if time.monotonic() > deadline:
                raise StartError("a process cannot be halted")
            time.sleep(PAUSE)

    def go_on(self) -> None:
        """Let its processes run again."""
        for member in self.family():
            with suppress(psutil.NoSuchProcess):
                member.resume()

    def stop(self) -> None:
        """End its processes: politely, then for certain."""
        if self._process is None:
            return
        self.go_on()
        members = self.family()
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()
        left = [member for member in members if member.is_running()]
        for member in left:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _runs(member: psutil.Process) -> bool:
    """Whether a process neither is halted nor has ended."""
    try:
        return member.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.NoSuchProcess:
        return False
