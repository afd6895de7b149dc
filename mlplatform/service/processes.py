"""Several processes that serve on one port and share the memory of what was loaded before they were forked.

    supervisor ── forks ──▶ zygote of generation 1 ── forks ──▶ processes 0, 1, …
               └─ forks ──▶ zygote of generation 2 ── forks ──▶ processes 0, 1, …     (a renewal)

The supervisor imports nothing heavy; it owns the socket. A zygote loads what its processes are to share, while it has
one thread, and forks them; it forks another one when one dies. In a renewal a fresh zygote and its processes start
beside the old ones, on the same socket, so that no connection is lost; then the old ones take no new connections, and
end when their clients have left.
"""

import gc
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from fastapi import FastAPI
from structlog import get_logger

from mlplatform.service.board import Board
from mlplatform.service.runner import server_config
from mlplatform.service.worker import RETIRE, Place, run_worker
from mlplatform.settings import PlatformSettings
from mlplatform.telemetry import configure_logs

BACKLOG = 2048
TICK_SECONDS = 0.5
RENEWAL_SECONDS = 600.0
"""Longest time until a renewed group must be ready."""
SHORT_LIFE = 5.0
"""A process that dies sooner is replaced with a pause, so that a fault at start does not take all time."""
CANNOT_SHARE = 77
"""Exit status of a zygote that must not fork what it has loaded."""
HARMLESS_THREADS = frozenset({"jemalloc_bg_thd"})
"""Threads of libraries that stop and restart them around a fork."""
THREADS = Path("/proc/self/task")

MakeApp = Callable[[], FastAPI]
Prepare = Callable[[bool], MakeApp]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Group:
    """A zygote and its processes.

    Attributes:
        generation: Its number, from 1.
        pid: The zygote.
        board: What its processes say of themselves.
        lifeline: A pipe by which the zygote notices that the supervisor is gone; each has one end.
        started: When, on the monotonic clock.
    """

    generation: int
    pid: int
    board: Board
    lifeline: int
    started: float


class Signals:
    """Remembers signals until they are asked for, and wakes up whoever waits."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._seen: set[int] = set()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, RETIRE):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def wait(self, seconds: float, *others: int) -> None:
        """Wait for a signal, or until one of other pipes can be read."""
        select.select([self._reader, *others], [], [], seconds)
        while select.select([self._reader], [], [], 0)[0]:
            os.read(self._reader, 1024)

    def seen(self, *numbers: int) -> bool:
        """Say whether one of these signals came."""
        return bool(self._seen.intersection(numbers))

    def take(self, *numbers: int) -> bool:
        """Say whether one of these signals came, and forget it."""
        found = self._seen.intersection(numbers)
        self._seen -= found
        return bool(found)

    def close(self) -> None:
        """Give the signals back their default actions, as in a fork."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, RETIRE):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._seen.add(number)


def run_processes(
    prepare: Prepare,
    settings: PlatformSettings,
    port: int,
    *,
    name: str,
    processes: int,
    renew_after: timedelta = timedelta(0),
) -> None:
    """Serve with several processes until SIGTERM or SIGINT; then let all of them finish the requests in flight.

    Args:
        prepare: Runs in a zygote. Called with True it loads what the processes are to share, without starting a
            thread, and returns what makes the application in each. Called with False it loads nothing.
        settings: Settings of the service.
        port: Port to listen on.
        name: The service's name in logs.
        processes: How many.
        renew_after: How long after a process asked for it all are replaced, to share memory again; 0 for never.
    """
    configure_logs(settings, name)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with (
        tempfile.TemporaryDirectory(prefix="ml-processes-") as folder,
        socket.create_server((settings.host, port), family=family, backlog=BACKLOG) as listener,
    ):
        Supervisor(prepare, settings, port, listener, Path(folder), processes, renew_after).run()


class Supervisor:
    """The process that owns the socket."""

    def __init__(  # noqa: PLR0917 (made in one place, above)
        self,
        prepare: Prepare,
        settings: PlatformSettings,
        port: int,
        listener: socket.socket,
        folder: Path,
        processes: int,
        renew_after: timedelta,
    ) -> None:
        self._prepare = prepare
        self._settings = settings
        self._port = port
        self._listener = listener
        self._folder = folder
        self._processes = processes
        self._renew_after = renew_after.total_seconds()
        self._generation = 0
        self._share = True
        self._wanted_since: float | None = None
        self._groups: list[Group] = []
        self._signals = Signals()

    def run(self) -> None:
        """Keep a group running, renew it, and end all when told to."""
        current = self._start()
        while not self._signals.take(signal.SIGTERM, signal.SIGINT):
            self._signals.wait(TICK_SECONDS)
            self._reap()
            if current not in self._groups:
                if monotonic() - current.started < SHORT_LIFE and self._share:
                    sleep(TICK_SECONDS)
                current = self._start()
            elif self._is_renewal_due(current):
                current = self._renew(current)
        for group in self._groups:
            _send(group.pid, signal.SIGTERM)
        until = monotonic() + self._settings.shutdown_timeout.total_seconds() + SHORT_LIFE
        while self._groups and monotonic() < until:
            self._signals.wait(TICK_SECONDS)
            self._reap()
        for group in self._groups:
            log.error("group_killed", generation=group.generation)
            _send(group.pid, signal.SIGKILL)

    def _start(self, *, gated: bool = False) -> Group:
        self._generation += 1
        board = Board(self._processes)
        lifeline, ours = os.pipe()
        pid = os.fork()
        if not pid:
            with _ending_here():
                os.close(ours)
                self._signals.close()
                for group in self._groups:
                    os.close(group.lifeline)
                zygote = Zygote(self._prepare, self._settings, self._port, self._listener, share=self._share)
                zygote.run(
                    Group(self._generation, os.getpid(), board, lifeline, monotonic()), self._folder, gated=gated
                )
        os.close(lifeline)
        group = Group(self._generation, pid, board, ours, monotonic())
        self._groups.append(group)
        log.info("group_started", generation=group.generation, processes=self._processes, shares=self._share)
        return group

    def _reap(self) -> None:
        for group in list(self._groups):
            pid, status = os.waitpid(group.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            if code == CANNOT_SHARE:
                self._share = False
            self._groups.remove(group)
            os.close(group.lifeline)
            log.info("group_ended", generation=group.generation, status=code)

    def _is_renewal_due(self, current: Group) -> bool:
        if not (self._share and self._renew_after and len(self._groups) == 1 and current.board.wants_renewal()):
            self._wanted_since = None
            return False
        self._wanted_since = self._wanted_since or monotonic()
        return monotonic() - self._wanted_since >= self._renew_after

    def _renew(self, current: Group) -> Group:
        """Start a fresh group beside the current one; keep the current one when that fails."""
        self._wanted_since = None
        fresh = self._start(gated=True)
        until = monotonic() + RENEWAL_SECONDS
        while fresh in self._groups and fresh.board.waited_for() and monotonic() < until:
            if current not in self._groups or self._signals.seen(signal.SIGTERM, signal.SIGINT):
                return fresh
            self._signals.wait(TICK_SECONDS)
            self._reap()
        if fresh in self._groups and not fresh.board.waited_for():
            _send(current.pid, RETIRE)
            log.info("group_renewed", generation=fresh.generation)
            return fresh
        log.error("renewal_failed", generation=fresh.generation)
        if fresh in self._groups:
            _send(fresh.pid, signal.SIGTERM)
        return current


class Zygote:
    """The process that loads what the serving processes share, and forks them."""

    def __init__(
        self, prepare: Prepare, settings: PlatformSettings, port: int, listener: socket.socket, *, share: bool
    ) -> None:
        self._prepare = prepare
        self._settings = settings
        self._port = port
        self._listener = listener
        self._share = share
        self._children: dict[int, tuple[int, float]] = {}

    def run(self, group: Group, folder: Path, *, gated: bool) -> None:
        """Fork the processes and replace those that die, until told to stop or until the supervisor is gone."""
        make_app = self._prepare(True) if self._share else None
        if make_app is not None and (threads := foreign_threads()):
            log.warning("cannot_share_memory", threads=threads)
            sys.exit(CANNOT_SHARE)
        gc.collect()
        gc.freeze()  # or the collector would write to every object, and so copy it into each process
        self._signals = Signals()
        reader, self._lifeline = os.pipe()
        count = group.board.processes
        places = [Place(index, group.generation, group.board, folder, reader, gated) for index in range(count)]
        for place in places:
            self._fork(make_app, place)
        while True:
            self._signals.wait(TICK_SECONDS, group.lifeline)
            if self._signals.take(RETIRE):
                self._end(RETIRE)
                return
            if self._signals.take(signal.SIGTERM, signal.SIGINT) or select.select([group.lifeline], [], [], 0)[0]:
                self._end(signal.SIGTERM)
                return
            for index, lived in self._reap(group.board):
                sleep(0 if lived > SHORT_LIFE else TICK_SECONDS)
                self._fork(make_app, replace(places[index], gated=False))

    def _fork(self, make_app: MakeApp | None, place: Place) -> None:
        pid = os.fork()
        if not pid:
            with _ending_here():
                self._signals.close()
                os.close(self._lifeline)
                app = (make_app or self._prepare(False))()
                run_worker(app, server_config(lambda: app, self._settings, self._port), self._listener, place)
        self._children[pid] = place.index, monotonic()

    def _reap(self, board: Board) -> Iterator[tuple[int, float]]:
        """Yield the numbers of processes that have died, and for how long they lived."""
        for pid, (index, started) in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                board.clear(index)
                code = os.waitstatus_to_exitcode(status)
                log.error("process_died", process=index, pid=pid, status=code)
                yield index, monotonic() - started

    def _end(self, number: int) -> None:
        """Pass a signal on, and wait until all have ended; SIGTERM hurries those that retire."""
        for pid in self._children:
            _send(pid, number)
        while self._children:
            self._signals.wait(TICK_SECONDS)
            if self._signals.take(signal.SIGTERM, signal.SIGINT):
                for pid in self._children:
                    _send(pid, signal.SIGTERM)
            for pid in list(self._children):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    del self._children[pid]


def foreign_threads() -> list[str]:
    """List the threads of this process besides the one that calls, by name, that a fork would leave behind.

    Where the system does not tell, there is said to be one.
    """
    if not THREADS.is_dir():
        return ["unknown"]
    names = {int(task.name): (task / "comm").read_text().strip() for task in THREADS.iterdir()}
    del names[os.getpid()]
    return sorted(name for name in names.values() if name not in HARMLESS_THREADS)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def _ending_here() -> Iterator[None]:
    """End the process with the block: what a fork inherits of its parent's stack is not to be unwound.

    Its exit status is that of a program, its traceback goes where a program's would.
    """
    status = 1
    try:
        yield
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 (whatever it was, it must not unwind into the parent's code)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
