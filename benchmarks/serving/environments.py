"""A virtual environment for each peer, made once and kept as long as its list of packages stays the same."""

import hashlib
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
STAMP = ".installed"
INSTALL_SECONDS = 1800.0
CUDA = re.compile(r"(nvidia-(?!ml-py\b)[a-z0-9-]+|cuda-[a-z0-9-]+|triton|[a-z0-9_-]+-cu\d\d)", re.IGNORECASE)
"""Packages of CUDA. nvidia-ml-py is none: it is a small module that only reads the state of a card."""


class NotInstalledError(Exception):
    """A peer cannot be installed here; the message says why, and the run goes on without it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that is ready to be used."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def variables(self) -> dict[str, str]:
        """Return what a process needs to find the programs of this environment before all others."""
        return {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "VIRTUAL_ENV": str(self.folder)}

    def versions(self) -> dict[str, str]:
        """Return every installed package and its version."""
        listed = subprocess.run(
            [self.python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
        )
        return {package["name"].lower(): package["version"] for package in json.loads(listed.stdout)}


def ensure(name: str, home: Path, report: Callable[[str], None], *, requirements: Path = REQUIREMENTS) -> Environment:
    """Return the environment of a list of packages, installed with pip unless that was done before.

    Args:
        name: Of the list, `NAME.txt`.
        home: Folder of the environments.
        report: Told what happens.
        requirements: Folder of the list.

    Raises:
        NotInstalledError: pip fails, or would bring CUDA, which a comparison on processors has no use for.
    """
    listed = requirements / f"{name}.txt"
    environment = Environment(home / name)
    stamp = environment.folder / STAMP
    wanted = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return environment
    report(f"install {name} into {os.path.relpath(environment.folder)}")
    venv.create(environment.folder, with_pip=True, clear=True)
    if brought := cuda_packages(_pip(environment, name, "--dry-run", "--requirement", str(listed))):
        raise NotInstalledError(f"{name}: pip would install {', '.join(brought)}")
    _pip(environment, name, "--requirement", str(listed))
    stamp.write_text(wanted)
    return environment


def cuda_packages(output: str) -> list[str]:
    """Return the packages of CUDA that `pip install --dry-run` says it would install."""
    last = next((line for line in reversed(output.splitlines()) if line.startswith("Would install ")), "")
    names = [entry.rpartition("-")[0] for entry in last.removeprefix("Would install ").split()]
    return [name for name in names if CUDA.fullmatch(name)]


def _pip(environment: Environment, name: str, *arguments: str) -> str:
    command = ["nice", "-n", "19", environment.python, "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"{name}: pip took more than {INSTALL_SECONDS:.0f} s") from error
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "pip failed")
        raise NotInstalledError(f"{name}: {reason.removeprefix('ERROR: ')}")
    return done.stdout
