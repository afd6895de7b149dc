"""The supervisor: its configuration, its start, and the calls to it."""

import contextlib
import hashlib
import http.client
import os
import stat
import subprocess
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from mlplatform.stack.errors import StackError
from mlplatform.stack.files import read_tail, write_private
from mlplatform.stack.home import Home
from mlplatform.stack.interpreter import python
from mlplatform.stack.program import LOG_BACKUPS, LOG_BYTES, Program, section

NAME = "supervisor"
# The system allows about 107 bytes; the supervisor adds its pid to the name while it binds.
LONGEST_SOCKET = 90
START_SECONDS = 20.0
STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What the supervisor knows of one program.

    Attributes:
        name: The program.
        state: The supervisor's word: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED or FATAL.
        pid: Its process; None when there is none.
        started: When it started, in seconds since the epoch.
        reason: Why the last start failed; empty when it did not.
    """

    name: str
    state: str
    pid: int | None
    started: float
    reason: str


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, home: Home, socket: Path) -> None:
        self._home = home
        self._socket = socket
        self._configuration = home.run / "supervisord.conf"

    def write(self, programs: Iterable[Program]) -> None:
        """Write the configuration, and the scripts and files of the programs."""
        settings = {
            "nodaemon": "false",
            "pidfile": str(self._home.run / "supervisord.pid"),
            "logfile": str(self._home.log(NAME)),
            "logfile_maxbytes": LOG_BYTES,
            "logfile_backups": str(LOG_BACKUPS),
            "childlogdir": str(self._home.logs),
            "directory": str(self._home.directory),
            "umask": "077",
        }
        if os.geteuid() == 0:
            settings["user"] = "root"  # said aloud, or it warns on each start
        interface = "supervisor.rpcinterface:make_main_rpcinterface"
        sections = [
            section("supervisord", settings),
            section("unix_http_server", {"file": str(self._socket), "chmod": "0600"}),
            section("rpcinterface:supervisor", {"supervisor.rpcinterface_factory": interface}),
            *(program.section(self._home) for program in programs),
        ]
        write_private(self._configuration, "".join(sections))

    def is_running(self) -> bool:
        """Return whether the supervisor answers."""
        try:
            with self._calls() as calls:
                calls.getState()
        except (OSError, http.client.HTTPException):
            return False
        return True

    def pid(self) -> int | None:
        """Return its process; None when it does not run."""
        try:
            with self._calls() as calls:
                return int(calls.getPID())
        except (OSError, http.client.HTTPException):
            return None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start the supervisor; it leaves this process and its terminal behind.

        Raises:
            StackError: when it does not come up; the message holds the end of its log. Or when others could reach it.
        """
        folder = self._socket.parent
        folder.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        if not is_private(folder):
            raise StackError(f"{folder} is open to others or not yours, so the supervisor's socket cannot be there")
        self._socket.unlink(missing_ok=True)
        # The marker is for finding it when its socket is gone.
        own = {"ML_STACK_OF": str(self._home.root), "ML_STACK_PROGRAM": NAME}
        answer = subprocess.run(  # noqa: S603 - our own interpreter and our own configuration
            [python(), "-m", "supervisor.supervisord", "-c", str(self._configuration)],
            env={**environment, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + START_SECONDS
        while answer.returncode == 0 and time.monotonic() < deadline:
            if self.is_running():
                return
            time.sleep(0.05)
        said = answer.stderr or answer.stdout or read_tail(self._home.log(NAME), 20)
        raise StackError(f"the supervisor did not start: {said.strip()}")

    def apply(self) -> None:
        """Make the running supervisor read its configuration anew; changed programs are stopped."""
        with self._calls() as calls:
            added, changed, removed = calls.reloadConfig()[0]
            for name in (*changed, *removed):
                calls.stopProcessGroup(name)
                calls.removeProcessGroup(name)
            for name in (*added, *changed):
                calls.addProcessGroup(name)

    def start_program(self, name: str) -> None:
        """Ask for a program to run; one that runs already is left alone."""
        with self._calls() as calls, ignoring(Faults.ALREADY_STARTED):
            calls.startProcess(name, False)

    def stop_programs(self, names: Iterable[str]) -> None:
        """Stop programs together, and return when all of them have ended."""
        with self._calls() as calls:
            known = {info.name for info in self.processes()}
            waiting = [name for name in names if name in known]
            for name in waiting:
                with ignoring(Faults.NOT_RUNNING):
                    calls.stopProcess(name, False)
            # The supervisor itself kills what does not end within its own time.
            while any(info.name in waiting and info.state not in STOPPED for info in self.processes()):
                time.sleep(0.05)

    def shutdown(self, seconds: float = START_SECONDS) -> None:
        """End the supervisor and whatever it still runs."""
        with self._calls() as calls:
            pid = calls.getPID()
            calls.shutdown()
        # It closes its socket some time before it ends.
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.wait_procs([psutil.Process(pid)], timeout=seconds)

    def processes(self) -> list[ProcessInfo]:
        """Return what the supervisor knows of its programs; nothing when it does not run."""
        try:
            with self._calls() as calls:
                found = calls.getAllProcessInfo()
        except (OSError, http.client.HTTPException):
            return []
        return [
            ProcessInfo(
                name=entry["name"],
                state=entry["statename"],
                pid=entry["pid"] or None,
                started=float(entry["start"]),
                reason=entry["spawnerr"],
            )
            for entry in found
        ]

    @contextlib.contextmanager
    def _calls(self) -> Iterator[Any]:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as calls:
            yield calls.supervisor


@contextlib.contextmanager
def ignoring(fault: int) -> Iterator[None]:
    """Let one answer of the supervisor pass: what was asked for is so already."""
    try:
        yield
    except xmlrpc.client.Fault as answer:
        if answer.faultCode != fault:
            raise


def choose_socket(home: Home, recorded: str) -> Path:
    """Return the path of the supervisor's socket.

    It is in the stack's own folder; in a short one under the temporary folder when that path is too long.

    Args:
        home: The stack's folder.
        recorded: What earlier starts chose; empty at the first.
    """
    usual = home.run / "supervisor.sock"
    if len(os.fsencode(usual)) <= LONGEST_SOCKET:
        return usual
    if recorded:
        return Path(recorded)
    digest = hashlib.sha256(os.fsencode(home.root)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"mlp-{digest}" / "supervisor.sock"


def forget_socket(home: Home, recorded: str) -> None:
    """Remove the socket's folder when it is outside of the stack's folder; only ever when it is empty.

    Never a recursive deletion: a wrong path, the empty one above all, must not cost anybody a file.
    """
    if not recorded or Path(recorded).is_relative_to(home.root):
        return
    Path(recorded).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        Path(recorded).parent.rmdir()


def is_private(folder: Path) -> bool:
    """Return whether a folder is ours and closed to others: anyone may create names in a temporary folder."""
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) == stat.S_IRWXU
