"""The programs of a promotion, run as people run them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = "scripts/promote_model.py"


def promote(*options: str) -> subprocess.CompletedProcess[str]:
    """Run promote_model.py to its end."""
    return _run([SCRIPT, *options])


def crash(step: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run promote_model.py until a step is done."""
    return _run(["-m", "tests.integration.registry.crash", step, *options])


def start(*options: str) -> subprocess.Popen[str]:
    """Start promote_model.py, and go on meanwhile."""
    return subprocess.Popen(
        [sys.executable, SCRIPT, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, check=False, capture_output=True, text=True)
