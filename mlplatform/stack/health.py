"""Which parts do their work."""

import time
import xmlrpc.client
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import redis

from mlplatform.stack.errors import StackUnhealthy
from mlplatform.stack.files import read_tail
from mlplatform.stack.home import Home
from mlplatform.stack.program import Program
from mlplatform.stack.supervisor import Supervisor

FAILURES = (httpx.HTTPError, psycopg.Error, redis.RedisError, OSError, xmlrpc.client.Error)
POLL_SECONDS = 0.1
LOG_LINES = 15
# A process that came up this often while we waited will not stay up by itself.
TOO_MANY_STARTS = 4

Report = Callable[[str, str], None]


def failure_of(program: Program) -> str | None:
    """Return why a part does not do its work; None when it does."""
    try:
        program.probe()
    except FAILURES as failure:
        return " ".join(str(failure).split()) or type(failure).__name__
    return None


def failures_of(programs: Iterable[Program]) -> dict[str, str | None]:
    """Probe parts all at once; a dead one takes seconds to tell."""
    found = list(programs)
    with ThreadPoolExecutor(max_workers=max(1, len(found))) as pool:
        return dict(zip([program.name for program in found], pool.map(failure_of, found), strict=True))


def wait_healthy(
    programs: Iterable[Program], supervisor: Supervisor, home: Home, report: Report, *, deadline: float
) -> None:
    """Return when all the parts do their work.

    Args:
        programs: The parts.
        supervisor: What keeps them running.
        home: Where their logs are.
        report: Told of each part that becomes healthy.
        deadline: When to give up, by the monotonic clock.

    Raises:
        StackUnhealthy: at the deadline, or as soon as a part keeps exiting.
    """
    waiting = {program.name: program for program in programs}
    reasons: dict[str, str] = {}
    pids: dict[str, set[int]] = {name: set() for name in waiting}
    while waiting:
        for name, reason in failures_of(waiting.values()).items():
            if reason is None:
                del waiting[name]
                report(name, "healthy")
            else:
                reasons[name] = reason
        for info in supervisor.processes():
            if info.name in waiting and info.pid:
                pids[info.name].add(info.pid)
        exiting = {name for name in waiting if len(pids[name]) >= TOO_MANY_STARTS}
        if exiting or (waiting and time.monotonic() > deadline):
            guilty = exiting or set(waiting)
            reasons.update(dict.fromkeys(exiting, "it keeps exiting"))
            tails = {name: read_tail(home.log(name), LOG_LINES) for name in waiting if name in guilty}
            raise StackUnhealthy(tails, reasons)
        time.sleep(POLL_SECONDS)
