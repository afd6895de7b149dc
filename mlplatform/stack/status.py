"""What runs, and how it fares."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from mlplatform.stack.health import failures_of
from mlplatform.stack.plan import Plan
from mlplatform.stack.supervisor import NAME, ProcessInfo, Supervisor

HEALTHY = "healthy"
UNHEALTHY = "unhealthy"
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """How one part of the stack fares.

    Attributes:
        name: The part.
        health: healthy, unhealthy or stopped.
        pid: Its process.
        rss: Resident memory of the process and its children, in bytes.
        uptime: Seconds since it started.
        url: Where users find it.
        reason: What is wrong; empty when nothing is.
    """

    name: str
    health: str
    pid: int | None
    rss: int
    uptime: float
    url: str | None
    reason: str


def read_status(plan: Plan, supervisor: Supervisor) -> list[ProcessStatus]:
    """Return how every part fares, the supervisor last."""
    infos = {info.name: info for info in supervisor.processes()}
    failures = failures_of(plan.programs[name] for name, info in infos.items() if info.pid and name in plan.programs)
    resident = memory([info.pid for info in infos.values() if info.pid])
    found = [
        part_status(name, program.url, infos.get(name), failures, resident) for name, program in plan.programs.items()
    ]
    pid = supervisor.pid()
    if infos and pid:
        own = psutil.Process(pid)
        uptime = time.time() - own.create_time()
        found.append(ProcessStatus(NAME, HEALTHY, own.pid, own.memory_info().rss, uptime, None, ""))
    return found


def part_status(
    name: str,
    url: str | None,
    info: ProcessInfo | None,
    failures: Mapping[str, str | None],
    resident: Mapping[int, int],
) -> ProcessStatus:
    """Return how one part fares."""
    if info is None or info.pid is None:
        reason = info.reason if info else ""
        waiting = info is not None and info.state in {"BACKOFF", "STARTING"}
        return ProcessStatus(name, UNHEALTHY if waiting else STOPPED, None, 0, 0.0, url, reason)
    reason = failures.get(name) or ""
    health = UNHEALTHY if reason else HEALTHY
    return ProcessStatus(name, health, info.pid, resident.get(info.pid, 0), time.time() - info.started, url, reason)


def memory(pids: Sequence[int]) -> dict[int, int]:
    """Return for each of these processes the resident bytes of it and its children; without those that are gone.

    All processes of the machine are looked through once, since only a child knows whose child it is.
    """
    children: dict[int, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            children.setdefault(process.ppid(), []).append(process)
        except psutil.NoSuchProcess:
            continue
    found: dict[int, int] = {}
    for pid in pids:
        try:
            family = [psutil.Process(pid)]
        except psutil.NoSuchProcess:
            continue
        found[pid] = 0
        for member in family:
            family += children.get(member.pid, [])
            try:
                found[pid] += member.memory_info().rss
            except psutil.NoSuchProcess:
                continue
    return found


def listening_ports(infos: list[ProcessInfo]) -> set[int]:
    """Return the ports that these programs and their children listen on."""
    found: set[int] = set()
    for info in infos:
        if info.pid is None:
            continue
        try:
            process = psutil.Process(info.pid)
            for member in (process, *process.children(recursive=True)):
                connections = member.net_connections(kind="tcp")
                listening = [entry for entry in connections if entry.status == psutil.CONN_LISTEN]
                found.update(entry.laddr.port for entry in listening if entry.laddr)
        except psutil.Error:
            continue
    return found
