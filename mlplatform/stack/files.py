"""Files that must never be seen half-written or by others."""

import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step by a file that only its owner reads."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    Path(name).replace(path)


def write_environment(path: Path, values: Mapping[str, str]) -> None:
    """Write `KEY=VALUE` lines that a shell and a dotenv reader understand alike."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
    write_private(path, "\n".join([*lines, ""]))


def read_environment(path: Path) -> dict[str, str]:
    """Read what :func:`write_environment` wrote; nothing when there is no such file."""
    if not path.is_file():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def read_tail(path: Path, lines: int) -> str:
    """Return the last `lines` lines of a log; nothing when there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - lines * 400))
        text = stream.read().decode("utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])
