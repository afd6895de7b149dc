"""What the parts of a stack are doing, and the wait for their recovery."""

import time
from pathlib import Path

import pytest

from mlplatform.stack import Stack
from mlplatform.stack.files import read_tail

# Generous: on an idle machine with two cores the slowest part is back in ten seconds.
RECOVERY_SECONDS = 90.0
POLL_SECONDS = 0.5
"""Between two looks at the parts, each of which takes what they are killed for."""


def pids_of(stack: Stack) -> dict[str, int | None]:
    return {part.name: part.pid for part in stack.processes()}


def wait_healthy(stack: Stack, killed: int | None = None) -> None:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < deadline:
        parts = stack.processes()
        if all(part.health == "healthy" for part in parts) and killed not in {part.pid for part in parts}:
            return
        time.sleep(POLL_SECONDS)
    sick = [part for part in stack.processes() if part.health != "healthy"]
    logs = [complaints(stack.home.log(part.name)) for part in sick]
    pytest.fail("\n".join(["not recovered:", *map(str, sick), *logs]))


def complaints(log: Path) -> str:
    """Return the last lines of a log that are no mere information."""
    lines = [line for line in read_tail(log, 500).splitlines() if '"level":"info"' not in line]
    return "\n".join(line[:4000] for line in lines[-20:])
