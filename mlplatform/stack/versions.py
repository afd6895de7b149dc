"""Installed packages compared with the versions that were tested together."""

import re
from importlib import metadata
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
PIN = re.compile(r"^([A-Za-z0-9._-]+)\s*==\s*([^\s;#]+)")


def differences(constraints: Path = CONSTRAINTS) -> list[str] | None:
    """Return what differs from the constraints file, one line a package; None when there is no such file.

    A pinned package that is not installed is no difference: it belongs to an extra that was not asked for. Neither is
    the local part of a version: `2.13.0+cpu` is a build of `2.13.0`.
    """
    if not constraints.is_file():
        return None
    found: list[str] = []
    for line in constraints.read_text(encoding="utf-8").splitlines():
        match = PIN.match(line)
        if not match:
            continue
        name, pinned = match.groups()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version.partition("+")[0] != pinned.partition("+")[0]:
            found.append(f"{name} is {version}, tested with {pinned}")
    return found
