"""The Python that runs the platform's own programs."""

import sys
from pathlib import Path

PROGRAMS = Path(sys.prefix) / "bin"


def python() -> str:
    """Return one path of this interpreter, whichever of its names this process was started by.

    With the name of the moment, `mlp up` would take the programs for changed ones, and restart them.
    """
    usual = PROGRAMS / "python"
    return str(usual) if usual.exists() else sys.executable


def search_path(path: str) -> str:
    """Return where to look for the programs of our own wheels: beside the interpreter first."""
    return f"{PROGRAMS}:{path}"


def outside(path: str) -> str:
    """Return a search path without our own programs, whether or not the environment is activated."""
    return ":".join(folder for folder in path.split(":") if Path(folder) != PROGRAMS)
