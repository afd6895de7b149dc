"""The programs of a promotion, run as people run them."""

import subprocess

from tests.fixtures.programs import run_program

SCRIPT = "scripts/promote_model.py"


def promote(*options: str) -> subprocess.CompletedProcess[str]:
    """Run promote_model.py to its end."""
    return run_program(SCRIPT, *options)


def crash(step: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run promote_model.py until a step is done."""
    return run_program("-m", "tests.integration.registry.crash", step, *options)
