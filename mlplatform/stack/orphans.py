"""Processes of a stack that outlived its supervisor."""

import signal
from collections.abc import Callable

import psutil

from mlplatform.stack.home import Home
from mlplatform.stack.supervisor import NAME

GRACE_SECONDS = 20.0
# Postgres ends its sessions on SIGINT, and waits for them on SIGTERM.
FAST = {"postgres": signal.SIGINT}


def find_orphans(home: Home) -> list[tuple[str, psutil.Process]]:
    """Return name and process of everything that carries this stack's mark, its supervisor first."""
    found: list[tuple[str, psutil.Process]] = []
    for process in psutil.process_iter():
        name = program_of(process, home)
        if name:
            found.append((name, process))
    return sorted(found, key=lambda entry: entry[0] != NAME)


def program_of(process: psutil.Process, home: Home) -> str | None:
    """Return which program of this stack a process is; None when it is none, or another user's."""
    try:
        # Redis overwrites its environment by its title, but works in its data folder.
        if process.name().startswith("redis") and process.cwd() == str(home.data / "redis"):
            return "redis"
        environment = process.environ()
    except (psutil.Error, OSError):
        return None
    return environment.get("ML_STACK_PROGRAM") if environment.get("ML_STACK_OF") == str(home.root) else None


def end_orphans(home: Home, report: Callable[[str], None]) -> None:
    """End what an earlier supervisor left behind, before anything starts on the same data.

    Args:
        home: The stack's folder.
        report: Told of each process that is ended.
    """
    found = find_orphans(home)
    for name, process in found:
        report(f"ending {name} (pid {process.pid}), left over by a supervisor that was killed")
        try:
            process.send_signal(FAST.get(name, signal.SIGTERM))
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs([process for _, process in found], timeout=GRACE_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)
