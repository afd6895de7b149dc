"""Find the settings that the embedded stack wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

STACK_FILE = "stack.env"
STACK_HOME = ".mlp"


def find_stack_file(known: Mapping[str, Any], start: Path | None = None) -> Path | None:
    """Return `stack.env` under `ML_HOME`, else under a `.mlp` of this folder or of one above it.

    Production never reads it: its passwords were generated for one machine.

    Args:
        known: Settings that other sources gave, for `env` and `home`.
        start: Folder to begin in; the current one unless told.
    """
    if known.get("env") == "production":
        return None
    if known.get("home"):
        candidate = Path(known["home"]).expanduser() / STACK_FILE
        return candidate if candidate.is_file() else None
    folder = start or Path.cwd()
    for parent in (folder, *folder.parents):
        candidate = parent / STACK_HOME / STACK_FILE
        if candidate.is_file():
            return candidate
    return None
